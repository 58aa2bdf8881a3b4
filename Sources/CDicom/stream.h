#ifndef CLEFT_CDICOM_STREAM_H
#define CLEFT_CDICOM_STREAM_H

#include "internal.h"

#include <dcmtk/dcmdata/dcistrmb.h>

namespace cleft {

/// A file in memory, read by the library's parser under limits.
///
/// Values of more than a few kilobytes are skipped and loaded when they are asked for. A length that goes beyond the
/// file's end is therefore found out before anything of that length is allocated, and what nobody asks for costs
/// nothing. The stream is inflated inside of it, so that its limits hold for what comes out.
class BoundedStream : public DcmInputBufferStream {
public:
  /// What may come out of the file at most, and how much of that in values that are kept.
  struct Limits {
    int64_t bytes, kept_bytes;
  };

  BoundedStream(const uint8_t *bytes, size_t count, Limits limits);

  /// Refuses the file if a limit has been reached.
  void check() const;

  offile_off_t read(void *buffer, offile_off_t count) override;
  offile_off_t skip(offile_off_t count) override;
  offile_off_t avail() override { return isStopped() ? 0 : DcmInputBufferStream::avail(); }
  OFBool eos() override { return isStopped() ? OFTrue : DcmInputBufferStream::eos(); }
  void mark() override;
  OFCondition installCompressionFilter(E_StreamCompression kind) override;
  DcmInputStreamFactory *newFactory() const override;

  /// Where a value lies, and how to come to it again.
  struct Place {
    const uint8_t *bytes;
    size_t count;
    Limits limits;
    offile_off_t position, deflated_from;
    E_StreamCompression compression;
  };

private:
  /// Real files have some hundred elements, and as many fragments at most.
  static constexpr int64_t most_elements = 100000;
  /// The parser calls itself for each nested sequence. Real files nest a few levels; this leaves room for some hundred.
  static constexpr uintptr_t most_stack = 128 << 10;

  Place place;
  int64_t elements = 0, kept_bytes = 0;
  uintptr_t stack_start = 0;
  bool is_too_deep = false;

  bool isStopped();
};

} // namespace cleft

#endif
