# WEIR_VERSION as the public header states it.
set(weir_header "${CMAKE_CURRENT_LIST_DIR}/../include/weir/base.h")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${weir_header}")
set(WEIR_VERSION "")
foreach(part MAJOR MINOR PATCH)
    file(STRINGS "${weir_header}" line REGEX "^#define WEIR_VERSION_${part} [0-9]+$")
    string(REGEX MATCH "[0-9]+$" number "${line}")
    list(APPEND WEIR_VERSION "${number}")
endforeach()
list(JOIN WEIR_VERSION "." WEIR_VERSION)
# Programs go on with libraries of the same soname: before 1.0 that is a minor version, as for find_package.
string(REGEX REPLACE "^(0[.][0-9]+|[0-9]+)[.].*" "\\1" WEIR_SOVERSION "${WEIR_VERSION}")
