dnl The PHP extension weir, for phpize: phpize && ./configure [--with-weir=PREFIX] && make && make install
PHP_ARG_WITH([weir],
  [whether to enable weir],
  [AS_HELP_STRING([[--with-weir[=PREFIX]]], [Channels between programs. PREFIX is where libweir is installed])],
  [yes])

if test "$PHP_WEIR" != "no"; then
  if test "$PHP_WEIR" != "yes"; then
    for weir_dir in "$PHP_WEIR"/lib/pkgconfig "$PHP_WEIR"/lib/*/pkgconfig "$PHP_WEIR"/lib64/pkgconfig; do
      PKG_CONFIG_PATH="$weir_dir:$PKG_CONFIG_PATH"
    done
    export PKG_CONFIG_PATH
  fi
  PKG_CHECK_MODULES([WEIR], [weir >= 0.1])
  PHP_EVAL_INCLINE([$WEIR_CFLAGS])
  PHP_EVAL_LIBLINE([$WEIR_LIBS], [WEIR_SHARED_LIBADD])
  PHP_SUBST([WEIR_SHARED_LIBADD])
  PHP_ADD_EXTENSION_DEP(weir, date)
  PHP_ADD_EXTENSION_DEP(weir, json)
  PHP_ADD_EXTENSION_DEP(weir, spl)
  PHP_NEW_EXTENSION([weir], [weir.c functions.c errors.c wait.c value.c types.c property.c ndarray.c message.c end.c \
    channel.c call.c], [$ext_shared])
fi
