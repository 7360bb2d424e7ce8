# One target a folder: hawser_library(NAME SOURCES … USES …) is a static library whose headers are included by their path
# from the top of the tree ("runtime/base/clock.h").
include(GoogleTest OPTIONAL)

add_library(hawser_flags INTERFACE)
target_compile_options(hawser_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
target_include_directories(hawser_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(HAWSER_SANITIZE)
    target_compile_options(hawser_flags INTERFACE -fsanitize=${HAWSER_SANITIZE} -fno-omit-frame-pointer)
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

# hawser_test(NAME SOURCES … USES … [LABELS …]): a GoogleTest program, each of its tests known to CTest.
function(hawser_test name)
    cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;USES;LABELS" ${ARGN})
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 60)
    endif()
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE hawser_flags ${ARG_USES} GTest::gmock GTest::gtest GTest::gtest_main)
    gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
        PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
