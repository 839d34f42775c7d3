# What goes where on `make install`: library, headers, pkg-config, CMake package, man pages. Command and bindings install themselves.
include(CMakePackageConfigHelpers)

install(TARGETS weir EXPORT weirTargets)
install(DIRECTORY include/weir TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
