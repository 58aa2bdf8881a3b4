#include <algorithm>
#include <cstring>
#include <memory>

#include "internal.h"

#if __has_include(<openjpeg-2.6/openjpeg.h>)
#include <openjpeg-2.6/openjpeg.h>
#elif __has_include(<openjpeg-2.5/openjpeg.h>)
#include <openjpeg-2.5/openjpeg.h>
#elif __has_include(<openjpeg-2.4/openjpeg.h>)
#include <openjpeg-2.4/openjpeg.h>
#else
#include <openjpeg.h>
#endif

namespace cleft {
namespace {

/// The bytes a stream reads from.
struct Source {
  const uint8_t *bytes;
  size_t count, position;
};

OPJ_SIZE_T take(void *buffer, OPJ_SIZE_T wanted, void *user) {
  auto *source = static_cast<Source *>(user);
  const size_t given = std::min(size_t(wanted), source->count - source->position);
  if (given == 0) return OPJ_SIZE_T(-1);
  std::memcpy(buffer, source->bytes + source->position, given);
  source->position += given;
  return given;
}

OPJ_OFF_T skip(OPJ_OFF_T wanted, void *user) {
  auto *source = static_cast<Source *>(user);
  if (wanted < 0 || size_t(wanted) > source->count - source->position) return -1;
  source->position += size_t(wanted);
  return wanted;
}

OPJ_BOOL seek(OPJ_OFF_T wanted, void *user) {
  auto *source = static_cast<Source *>(user);
  if (wanted < 0 || size_t(wanted) > source->count) return OPJ_FALSE;
  source->position = size_t(wanted);
  return OPJ_TRUE;
}

/// Keeps the first complaint.
void note(const char *message, void *user) {
  auto *text = static_cast<std::string *>(user);
  if (text->empty()) *text = message;
  while (!text->empty() && text->back() == '\n') text->pop_back();
}

void ignore(const char *, void *) {}

using Stream = std::unique_ptr<opj_stream_t, decltype(&opj_stream_destroy)>;
using Codec = std::unique_ptr<opj_codec_t, decltype(&opj_destroy_codec)>;
using Picture = std::unique_ptr<opj_image_t, decltype(&opj_image_destroy)>;

Stream makeStream(Source &source) {
  Stream stream(opj_stream_default_create(OPJ_TRUE), opj_stream_destroy);
  if (!stream) throw std::bad_alloc();
  opj_stream_set_read_function(stream.get(), take);
  opj_stream_set_skip_function(stream.get(), skip);
  opj_stream_set_seek_function(stream.get(), seek);
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), source.count);
  return stream;
}

Codec makeCodec(const uint8_t *bytes, size_t count, std::string &complaint) {
  const bool is_bare = count > 3 && bytes[0] == 0xFF && bytes[1] == 0x4F; // otherwise in the boxes of a JP2 file
  Codec codec(opj_create_decompress(is_bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2), opj_destroy_codec);
  if (!codec) throw std::bad_alloc();
  opj_set_error_handler(codec.get(), note, &complaint);
  opj_set_warning_handler(codec.get(), ignore, nullptr);
  opj_set_info_handler(codec.get(), ignore, nullptr);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (!opj_setup_decoder(codec.get(), &parameters)) damaged("JPEG 2000: no decoder");
#if OPJ_VERSION_MAJOR > 2 || (OPJ_VERSION_MAJOR == 2 && OPJ_VERSION_MINOR >= 5)
  opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE); // a cut stream is an error
#endif
  return codec;
}

/// What the library complained about; it has no other sign for a full memory.
[[noreturn]] void fail(const std::string &complaint) {
  if (complaint.find("emory") != std::string::npos) throw std::bad_alloc();
  damaged("JPEG 2000: " + complaint);
}

void checkHeader(const opj_image_t &picture, const cleft_dicom_image &image) {
  if (picture.numcomps != 1)
    unsupported("a JPEG 2000 frame of " + std::to_string(picture.numcomps) + " components");
  const opj_image_comp_t &plane = picture.comps[0];
  if (plane.w != OPJ_UINT32(image.width) || plane.h != OPJ_UINT32(image.height))
    damaged("a JPEG 2000 frame of " + std::to_string(plane.w) + " x " + std::to_string(plane.h) +
            " pixels, Columns x Rows say " + std::to_string(image.width) + " x " + std::to_string(image.height));
  if (plane.prec < 1 || plane.prec > OPJ_UINT32(image.bits_allocated))
    damaged("a JPEG 2000 frame of " + std::to_string(plane.prec) + " bits in " + std::to_string(image.bits_allocated));
}

/// Cells of the frame; where the file says signed and the stream does not, the stream's top bit is the sign.
template <typename Cell> void copy(const opj_image_comp_t &plane, bool is_signed, std::vector<Cell> &cells) {
  const size_t count = size_t(plane.w) * plane.h;
  cells.resize(count);
  const int shift = is_signed && !plane.sgnd ? 32 - int(plane.prec) : 0;
  for (size_t i = 0; i < count; i++) cells[i] = Cell(int32_t(uint32_t(plane.data[i]) << shift) >> shift);
}

} // namespace

void decodeJPEG2000(const uint8_t *bytes, size_t count, Owner &owner, cleft_dicom_image &image) {
  checkCodestream(bytes, count, image); // the library allocates before it can be asked for the size
  Source source{bytes, count, 0};
  std::string complaint;
  Stream stream = makeStream(source);
  Codec codec = makeCodec(bytes, count, complaint);
  opj_image_t *header = nullptr;
  const bool is_read = opj_read_header(stream.get(), codec.get(), &header);
  Picture picture(header, opj_image_destroy);
  if (!is_read || !picture) fail(complaint);
  checkHeader(*picture, image);
  if (!opj_decode(codec.get(), stream.get(), picture.get()) || !opj_end_decompress(codec.get(), stream.get()))
    fail(complaint);
  checkHeader(*picture, image);
  const opj_image_comp_t &plane = picture->comps[0];
  if (!plane.data) damaged("JPEG 2000: no pixels");
  if (image.bits_allocated == 8) {
    copy(plane, image.is_signed, owner.cells8);
    image.cells8 = owner.cells8.data();
  } else {
    copy(plane, image.is_signed, owner.cells16);
    image.cells16 = owner.cells16.data();
  }
}

} // namespace cleft
