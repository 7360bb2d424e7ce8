# One target a folder: hawser_library(NAME SOURCES … USES …) is a static library whose headers are included by their path
# from the top of the tree ("runtime/base/clock.h").
include(GoogleTest OPTIONAL)

add_library(hawser_flags INTERFACE)
target_compile_options(hawser_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
target_include_directories(hawser_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(HAWSER_SANITIZE)
    target_compile_options(hawser_flags INTERFACE
        -fsanitize=${HAWSER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS)
    target_link_options(hawser_flags INTERFACE -fsanitize=${HAWSER_SANITIZE})
endif()

function(hawser_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
    if(ARG_SOURCES)
        add_library(${name} STATIC ${ARG_SOURCES})
        target_link_libraries(${name} PUBLIC hawser_flags ${ARG_USES})
    else()
        add_library(${name} INTERFACE)
        target_link_libraries(${name} INTERFACE hawser_flags ${ARG_USES})
    endif()
endfunction()

# What `./dev run` and `./dev install` need, and what the sanitizer builds of `./dev test` do.
add_custom_target(product)
add_custom_target(sanitize)

# hawser_test(NAME SOURCES … USES … [LABELS …] [TIMEOUT SECONDS] [PROPERTIES …]): a GoogleTest program, each of its tests known
# to CTest. The folder below tests/ is always a label. Tests labelled `sanitize`, as all unit tests are, run again under
# ASan + UBSan and under TSan. ONE_THREAD keeps a program out of TSan: it has nothing to find there, and Debian's
# libprotobuf lays its maps out differently than code that is compiled for TSan expects. PROPERTIES are CTest's (RUN_SERIAL ON, RESOURCE_LOCK x, ENVIRONMENT "A=1;B=2").
function(hawser_test name)
    cmake_parse_arguments(ARG "ONE_THREAD" "TIMEOUT" "SOURCES;USES;LABELS;PROPERTIES" ${ARGN})
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 60)
    endif()
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE hawser_flags ${ARG_USES} GTest::gmock GTest::gtest GTest::gtest_main)
    hawser_test_labels(labels ${ARG_LABELS})
    if(ARG_ONE_THREAD AND HAWSER_SANITIZE STREQUAL "thread")
        list(REMOVE_ITEM labels sanitize)
    endif()
    if("sanitize" IN_LIST labels)
        add_dependencies(sanitize ${name})
    endif()
    gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60 TEST_LIST ${name}_tests)
    # gtest_discover_tests() takes no property with several values, so these are set once CTest has the tests' names.
    set(properties "LABELS [==[${labels}]==] TIMEOUT ${ARG_TIMEOUT}")
    # GLib's slices are handed from thread to thread by code that is not instrumented: races to TSan, and never freed to ASan.
    if(HAWSER_SANITIZE)
        string(APPEND properties " ENVIRONMENT_MODIFICATION G_SLICE=set:always-malloc")
    endif()
    foreach(word IN LISTS ARG_PROPERTIES)
        string(APPEND properties " [==[${word}]==]")
    endforeach()
    set(script ${CMAKE_CURRENT_BINARY_DIR}/${name}_properties.cmake)
    file(WRITE ${script} "foreach(test IN LISTS ${name}_tests)\n    set_tests_properties(\${test} PROPERTIES ${properties})\nendforeach()\n")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${script})
endfunction()

# hawser_test_labels(OUT [LABELS …]): the labels of a test in the current folder.
function(hawser_test_labels out)
    cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/tests OUTPUT_VARIABLE folder)
    string(REGEX REPLACE "/.*" "" folder "${folder}")
    set(labels ${ARGN} ${folder})
    if(folder STREQUAL "unit")
        list(APPEND labels sanitize)
    endif()
    list(REMOVE_DUPLICATES labels)
    set(${out} ${labels} PARENT_SCOPE)
endfunction()
