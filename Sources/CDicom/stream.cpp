#include "stream.h"

#include <algorithm>
#include <memory>

namespace cleft {
namespace {

/// Goes to a value again. A deflated file is inflated up to there once more: such files are rare, and small.
class Factory : public DcmInputStreamFactory {
public:
  explicit Factory(const BoundedStream::Place &place) : place(place) {}

  DcmInputStream *create() const override {
    auto stream = std::make_unique<BoundedStream>(place.bytes, place.count, place.limits);
    if (place.compression != ESC_none) {
      stream->skip(place.deflated_from);
      stream->installCompressionFilter(place.compression);
    }
    stream->skip(place.position - stream->tell());
    return stream.release();
  }

  DcmInputStreamFactory *clone() const override { return new Factory(place); }
  DcmInputStreamFactoryType ident() const override { return DFT_DcmInputFileStreamFactory; }

private:
  BoundedStream::Place place;
};

} // namespace

BoundedStream::BoundedStream(const uint8_t *bytes, size_t count, Limits limits)
    : place{bytes, count, limits, 0, 0, ESC_none} {
  setBuffer(bytes, offile_off_t(count));
  setEos();
}

void BoundedStream::check() const {
  if (is_too_deep) damaged("sequences within sequences, too deep to be real");
  if (elements > most_elements)
    throw Refusal{CLEFT_DICOM_TOO_LARGE, "more than " + std::to_string(most_elements) + " elements"};
  if (tell() > place.limits.bytes || kept_bytes > place.limits.kept_bytes)
    throw Refusal{CLEFT_DICOM_TOO_LARGE, std::to_string(place.count) + " bytes are inflated to more than " +
                                             std::to_string(tell()) + ", too many to be one picture"};
}

bool BoundedStream::isStopped() {
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  if (stack_start == 0) stack_start = here;
  is_too_deep = is_too_deep || (here < stack_start && stack_start - here > most_stack);
  return is_too_deep || elements > most_elements || tell() > place.limits.bytes ||
         kept_bytes > place.limits.kept_bytes;
}

offile_off_t BoundedStream::read(void *buffer, offile_off_t count) {
  if (isStopped()) return 0;
  const offile_off_t done = DcmInputBufferStream::read(buffer, count);
  kept_bytes += done;
  return done;
}

/// Step by step, because a deflated file may go on for gigabytes.
offile_off_t BoundedStream::skip(offile_off_t count) {
  constexpr offile_off_t step = 16 << 20;
  offile_off_t done = 0;
  do {
    if (isStopped()) return 0;
    const offile_off_t wanted = std::min(count - done, step);
    const offile_off_t skipped = DcmInputBufferStream::skip(wanted);
    done += skipped;
    if (skipped < wanted) break;
  } while (done < count);
  return done;
}

/// The parser marks the place before each element.
void BoundedStream::mark() {
  elements++;
  DcmInputBufferStream::mark();
}

OFCondition BoundedStream::installCompressionFilter(E_StreamCompression kind) {
  place.deflated_from = tell();
  place.compression = kind;
  return DcmInputBufferStream::installCompressionFilter(kind);
}

DcmInputStreamFactory *BoundedStream::newFactory() const {
  Place here = place;
  here.position = tell();
  // The value is counted where it is loaded; it is bounded by what the file's header says of the picture.
  here.limits.kept_bytes = here.limits.bytes;
  return new Factory(here);
}

} // namespace cleft
