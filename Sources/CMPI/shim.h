#ifndef CLEFT_CMPI_SHIM_H
#define CLEFT_CMPI_SHIM_H

#include <mpi.h>

/* MPI's constants are macros that Swift cannot import, so they stay inside these functions. */

static inline int cleft_mpi_library_version(char *text, int capacity) {
  char buffer[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  if (MPI_Get_library_version(buffer, &length) != MPI_SUCCESS) return 0;
  if (length >= capacity) length = capacity - 1;
  for (int i = 0; i < length; i++) text[i] = buffer[i];
  text[length] = 0;
  return length;
}

#endif
