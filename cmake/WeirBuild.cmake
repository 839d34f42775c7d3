# How everything here is compiled: languages, warnings, processor, sanitizers.
include(GNUInstallDirs)
include(CheckLanguage)
find_package(Threads REQUIRED)

foreach(language CXX Fortran)
    check_language(${language})
    if(CMAKE_${language}_COMPILER)
        enable_language(${language})
    endif()
endforeach()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
foreach(language C CXX Fortran)
    set(CMAKE_${language}_FLAGS_RELWITHDEBINFO "-O2 -g")
    set(CMAKE_${language}_FLAGS_RELEASE "-O2")
endforeach()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# What every C target of ours is compiled with; bindings link it where it suits them.
add_library(weir_flags INTERFACE)
target_compile_options(weir_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra -Werror>)
target_compile_definitions(weir_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    target_compile_options(weir_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-march=x86-64-v2>)
endif()

if(WEIR_SANITIZE)
    # Instrumented code makes gcc see overflows that are not there.
    target_compile_options(weir_flags INTERFACE
        "$<$<COMPILE_LANG_AND_ID:C,GNU>:-Wno-array-bounds;-Wno-maybe-uninitialized>"
        "$<$<COMPILE_LANG_AND_ID:C,GNU>:-Wno-stringop-overflow;-Wno-stringop-overread>"
        "$<$<COMPILE_LANG_AND_ID:C,GNU>:-Wno-tsan>") # gcc warns of every fence, which its thread sanitizer does not see
    add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${WEIR_SANITIZE})
endif()

if(WEIR_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# weir_sources(FILE...): sources of the library, named in the folder they stand in.
function(weir_sources)
    foreach(file ${ARGN})
        file(GLOB found CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
        if(found)
            target_sources(weir_objects PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
        else()
            message(FATAL_ERROR "the library has no ${file} in ${CMAKE_CURRENT_SOURCE_DIR}")
        endif()
    endforeach()
endfunction()

# weir_find_library_from(TARGET FOLDER): a module that is installed in FOLDER, below the prefix or absolute, finds libweir from
# where it stands, so that an installed or staged tree may be moved.
function(weir_find_library_from target folder)
    cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" NORMALIZE)
    file(RELATIVE_PATH to_library "${folder}" "${CMAKE_INSTALL_FULL_LIBDIR}")
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/${to_library}")
endfunction()
