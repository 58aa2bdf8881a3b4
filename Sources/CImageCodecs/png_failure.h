#ifndef CLEFT_PNG_FAILURE_H
#define CLEFT_PNG_FAILURE_H

#include <setjmp.h>
#include <stdio.h>

#include <png.h>

/* What libpng complains about goes into the caller's text, and control to where the caller has set a mark. */
static inline void fail(png_structp png, png_const_charp message) {
  snprintf((char *)png_get_error_ptr(png), 200, "%s", message);
  longjmp(png_jmpbuf(png), 1);
}

static inline void swallow(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

#endif
