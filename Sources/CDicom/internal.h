#ifndef CLEFT_CDICOM_INTERNAL_H
#define CLEFT_CDICOM_INTERNAL_H

#include <new>
#include <string>
#include <vector>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include "CDicom.h"

namespace cleft {

/// Deflate turns a byte into at most 1032.
constexpr double deflate_ratio = 1032;

/// Why a file is not read; ends in the C functions.
struct Refusal {
  int status;
  std::string text;
};

[[noreturn]] inline void damaged(const std::string &text) { throw Refusal{CLEFT_DICOM_DAMAGED, text}; }
[[noreturn]] inline void unsupported(const std::string &text) { throw Refusal{CLEFT_DICOM_UNSUPPORTED, text}; }

/// Ends if the library could not do what it was asked for.
inline void require(OFCondition condition, const std::string &place = "") {
  if (condition == EC_MemoryExhausted) throw std::bad_alloc();
  if (condition.bad()) damaged(place + condition.text());
}

/// What an image's pointers point into.
struct Owner {
  DcmFileFormat file;
  std::vector<uint8_t> stream, cells8;
  std::vector<uint16_t> cells16, modality, voi;
};

/// Codecs registered, the library's own log silent.
void prepare();

/// Silences the library's log, but for the complaints of its JPEG decoders.
void listenForDamage();

/// What the JPEG decoders complained about on this thread since the last call; empty if nothing.
std::string takeComplaint();

/// Cells or JPEG stream of the frame, after the header's claims were held against the file's size.
void readFrame(Owner &owner, E_TransferSyntax syntax, size_t count, cleft_dicom_image &image);

/// Refuses a size of which `count` bytes hold at most `capacity` pixels.
void checkCapacity(const cleft_dicom_image &image, size_t count, double capacity);

/// Refuses a JPEG 2000 stream whose headers ask for more than its bytes and the image's size have room for, or that
/// is not one component of that size.
void checkCodestream(const uint8_t *bytes, size_t count, const cleft_dicom_image &image);

/// Decodes a JPEG 2000 stream of the image's size into the owner's cells.
void decodeJPEG2000(const uint8_t *bytes, size_t count, Owner &owner, cleft_dicom_image &image);

/// Runs a body and turns its exceptions into a status and a text.
template <typename Body> int guarded(char *error, Body body) {
  int status = CLEFT_DICOM_DAMAGED;
  std::string text;
  try {
    body();
    return CLEFT_DICOM_DONE;
  } catch (const Refusal &refusal) {
    status = refusal.status;
    text = refusal.text;
  } catch (const std::bad_alloc &) {
    status = CLEFT_DICOM_MEMORY;
    text = "out of memory";
  } catch (const std::exception &e) {
    text = e.what();
  }
  std::snprintf(error, 200, "%s", text.c_str());
  return status;
}

} // namespace cleft

#endif
