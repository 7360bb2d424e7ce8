# Where everything goes:
#   hawser                PREFIX/bin
#   hawser-worker         PREFIX/libexec/hawser
#   libgsthawser.so       below a prefix of one's own, PREFIX/lib/<arch>/gstreamer-1.0; for /usr and /usr/local, GStreamer's own
#                         plugin folder, since GStreamer looks nowhere else. HAWSER_PLUGIN_DIR overrides both.
#   hawser.pc             PREFIX/lib/<arch>/pkgconfig
#   man pages             PREFIX/share/man
# The prefix is looked at when installing, so that `cmake --install … --prefix` needs no new configuration.

set(HAWSER_PLUGIN_DIR "" CACHE STRING "Folder to install the plugin into; empty: chosen by the prefix")

foreach(target hawser hawser-worker gsthawser)
    if(TARGET ${target})
        add_dependencies(product ${target})
    endif()
endforeach()

if(TARGET hawser)
    install(TARGETS hawser RUNTIME DESTINATION bin)
endif()
if(TARGET hawser-worker)
    install(TARGETS hawser-worker RUNTIME DESTINATION libexec/hawser)
endif()
install(FILES docs/man/hawser.1 docs/man/hawser-worker.1 DESTINATION share/man/man1)
install(FILES LICENSE README.md DESTINATION share/doc/hawser)

pkg_get_variable(gstreamer_plugins_dir gstreamer-1.0 pluginsdir)
set(arch_lib_dir lib)
if(CMAKE_LIBRARY_ARCHITECTURE)
    set(arch_lib_dir lib/${CMAKE_LIBRARY_ARCHITECTURE})
endif()

set(plugin_file "")
if(TARGET gsthawser)
    set(plugin_file "$<TARGET_FILE:gsthawser>")
endif()
install(CODE "
    set(plugin_dir [==[${HAWSER_PLUGIN_DIR}]==])
    if(NOT plugin_dir AND CMAKE_INSTALL_PREFIX MATCHES \"^/usr(/local)?/?$\")
        set(plugin_dir [==[${gstreamer_plugins_dir}]==])
    elseif(NOT plugin_dir)
        set(plugin_dir \"\${CMAKE_INSTALL_PREFIX}/${arch_lib_dir}/gstreamer-1.0\")
    endif()
    set(plugin_file [==[${plugin_file}]==])
    if(plugin_file)
        file(INSTALL \"\${plugin_file}\" DESTINATION \"\${plugin_dir}\")
    endif()
    set(version [==[${PROJECT_VERSION}]==])
    configure_file([==[${PROJECT_SOURCE_DIR}/cmake/hawser.pc.in]==] [==[${PROJECT_BINARY_DIR}/hawser.pc]==] @ONLY)
    file(INSTALL [==[${PROJECT_BINARY_DIR}/hawser.pc]==]
        DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${arch_lib_dir}/pkgconfig\")
")
