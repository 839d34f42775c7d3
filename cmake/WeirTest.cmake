# Tests. CTest holds the list of suites; tools/test runs them and counts their cases, which it reads in the way that
# the suite's label names: cmocka, pytest or tap.
enable_testing()

# weir_test(NAME LABEL TIMEOUT COMMAND...): what the helpers below share. The environment tells a test where things are;
# memory that cannot be had is NULL also under a sanitizer, because refusing it properly is tested; so are children of
# fork.
function(weir_test name label timeout)
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout})
    set_property(TEST ${name} PROPERTY ENVIRONMENT
        "WEIR_SOURCE=${PROJECT_SOURCE_DIR}" "WEIR_BUILD=${PROJECT_BINARY_DIR}" PYTHONDONTWRITEBYTECODE=1
        ASAN_OPTIONS=allocator_may_return_null=1 TSAN_OPTIONS=die_after_fork=0:allocator_may_return_null=1)
endfunction()

# weir_add_test(NAME SOURCE...): a cmocka program. It links the library's static form, so it may call what is hidden.
function(weir_add_test name)
    if(NOT WEIR_TESTS)
        return()
    endif()
    list(GET ARGN 0 first)
    file(GLOB found CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${first}")
    if(NOT found)
        message(FATAL_ERROR "the test ${name} has no ${first}") # left out, it would never be missed
    endif()
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE weir_static weir_flags cmocka)
    if(WEIR_SANITIZE MATCHES thread) # which takes ten times as long
        weir_test(${name} cmocka 900 ${name})
    else()
        weir_test(${name} cmocka 300 ${name})
    endif()
endfunction()

# weir_add_tap(NAME COMMAND...): anything that prints TAP, "ok 1 - it works".
function(weir_add_tap name)
    if(WEIR_TESTS)
        weir_test(${name} tap 300 ${ARGN})
    endif()
endfunction()

# weir_add_pytest(NAME PATH...): files or folders for pytest.
function(weir_add_pytest name)
    if(WEIR_TESTS)
        weir_test(${name} pytest 600 "${PROJECT_SOURCE_DIR}/tools/python" -m pytest -q -p no:cacheprovider ${ARGN})
    endif()
endfunction()
