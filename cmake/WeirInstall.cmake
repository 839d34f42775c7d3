# What goes where on `make install`: library, headers, pkg-config, CMake package, man pages. Command and bindings
# install themselves. pkg-config and CMake files find the rest relative to themselves, so an installed tree may be
# moved.
include(CMakePackageConfigHelpers)

set(weir_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/weir")
file(RELATIVE_PATH weir_pc_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" weir_pc_to_prefix "${weir_pc_to_prefix}")
configure_file(weir.pc.in weir.pc @ONLY)
configure_file(weir-fortran.pc.in weir-fortran.pc @ONLY)
configure_package_config_file(weirConfig.cmake.in weirConfig.cmake INSTALL_DESTINATION ${weir_package_dir})
write_basic_package_version_file(weirConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS weir EXPORT weirTargets)
install(EXPORT weirTargets NAMESPACE weir:: DESTINATION ${weir_package_dir})
install(FILES "${PROJECT_BINARY_DIR}/weirConfig.cmake" "${PROJECT_BINARY_DIR}/weirConfigVersion.cmake"
    DESTINATION ${weir_package_dir})
install(FILES "${PROJECT_BINARY_DIR}/weir.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(TARGET weir_fortran)
    install(FILES "${PROJECT_BINARY_DIR}/weir-fortran.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()
install(DIRECTORY include/weir TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(DIRECTORY docs/man/ DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" FILES_MATCHING PATTERN "*.1")
install(DIRECTORY docs/man/ DESTINATION "${CMAKE_INSTALL_MANDIR}/man7" FILES_MATCHING PATTERN "*.7")

# The same for the build tree itself, so that programs can be built against it before anything is installed (tools/env).
export(EXPORT weirTargets NAMESPACE weir:: FILE "${PROJECT_BINARY_DIR}/weirTargets.cmake")
foreach(name weir weir-fortran)
    configure_file(cmake/${name}-uninstalled.pc.in pkgconfig/${name}-uninstalled.pc @ONLY)
endforeach()
foreach(section 1 7)
    file(COPY docs/man/ DESTINATION "${PROJECT_BINARY_DIR}/share/man/man${section}"
        FILES_MATCHING PATTERN "*.${section}")
endforeach()
