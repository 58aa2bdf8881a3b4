#ifndef CLEFT_CLAPACKE_SHIM_H
#define CLEFT_CLAPACKE_SHIM_H

#include <lapacke.h>

#endif
