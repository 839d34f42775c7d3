/* The PHP extension `weir`: its module entry. Classes and functions stand in namespace Weir; weir.stub.php shows them
 * all.
 *
 * Nothing is opened at start-up and nothing is kept between requests, so php-fpm may fork its workers as it likes. */
#include "php_weir.h"

#include <ext/date/php_date.h>
#include <ext/standard/info.h>

static PHP_MINIT_FUNCTION(weir) {
#define WEIR_CONSTANT(name) REGISTER_NS_LONG_CONSTANT("Weir", #name, WEIR_##name, CONST_CS | CONST_PERSISTENT);
#include "constants.h"
#undef WEIR_CONSTANT
    php_weir_errors_register();
    php_weir_types_register();
    php_weir_ndarray_register();
    php_weir_message_register();
    php_weir_channel_register();
    php_weir_call_register();
    return SUCCESS;
}

static PHP_MINFO_FUNCTION(weir) {
    char built[32];
    snprintf(built, sizeof(built), "%d.%d.%d", WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR, WEIR_VERSION_PATCH);
    php_info_print_table_start();
    php_info_print_table_row(2, "weir", "enabled");
    php_info_print_table_row(2, "library", weir_version());
    php_info_print_table_row(2, "built against", built);
    php_info_print_table_end();
}

#define TEXT_OF(number) #number
#define DOTTED(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

static const zend_module_dep dependencies[] = {
    ZEND_MOD_REQUIRED("date")
    ZEND_MOD_REQUIRED("json")
    ZEND_MOD_REQUIRED("spl")
    ZEND_MOD_END
};

zend_module_entry weir_module_entry = {
    STANDARD_MODULE_HEADER_EX,
    NULL,
    dependencies,
    "weir",
    php_weir_functions,
    PHP_MINIT(weir),
    NULL,
    NULL,
    NULL,
    PHP_MINFO(weir),
    DOTTED(WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR, WEIR_VERSION_PATCH),
    STANDARD_MODULE_PROPERTIES,
};

ZEND_GET_MODULE(weir)
