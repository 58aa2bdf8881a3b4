#ifndef CLEFT_CONEDNN_SHIM_H
#define CLEFT_CONEDNN_SHIM_H

#include <oneapi/dnnl/dnnl.h>

#endif
