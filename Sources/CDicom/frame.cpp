#include "internal.h"

#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>

namespace cleft {
namespace {

/// What the header of a JPEG or JPEG-LS stream says.
struct StreamHeader {
  int marker = 0; // SOF0 ... SOF15, or 0xF7 for JPEG-LS
  int precision = 0, width = 0, height = 0, components = 0;

  bool isLossless() const { return marker == 0xC3 || marker == 0xC7; }
  bool isJPEGLS() const { return marker == 0xF7; }
  bool isArithmetic() const { return marker >= 0xC9 && marker <= 0xCF; }
  /// Baseline, extended or progressive with 8 bits: what libjpeg-turbo decodes.
  bool isCommon() const { return marker >= 0xC0 && marker <= 0xC2 && precision == 8; }
};

/// Finds the start-of-frame segment.
StreamHeader findHeader(const std::vector<uint8_t> &s) {
  if (s.size() < 4 || s[0] != 0xFF || s[1] != 0xD8) damaged("the frame is no JPEG stream");
  size_t at = 2;
  while (at + 9 < s.size()) {
    if (s[at] != 0xFF) damaged("the frame's JPEG stream is damaged");
    const int marker = s[at + 1];
    if (marker == 0xFF) { // fill byte
      at++;
      continue;
    }
    const bool is_frame = (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) ||
                          marker == 0xF7;
    if (is_frame)
      return {marker, s[at + 4], s[at + 7] << 8 | s[at + 8], s[at + 5] << 8 | s[at + 6], s[at + 9]};
    at += 2 + size_t(s[at + 2] << 8 | s[at + 3]);
  }
  damaged("the frame's JPEG stream has no header");
}

/// A cut stream is decoded to a gray bottom half by some decoders; the end mark may be followed by padding.
void checkEnd(const std::vector<uint8_t> &s) {
  size_t end = s.size();
  while (end > 2 && s[end - 1] == 0) end--;
  if (end < 2 || s[end - 2] != 0xFF || s[end - 1] != 0xD9) damaged("the frame's stream ends early");
}

/// All fragments of the one frame, end to end.
std::vector<uint8_t> joined(DcmPixelSequence &sequence) {
  std::vector<uint8_t> stream;
  for (unsigned long i = 1; i < sequence.card(); i++) { // item 0 is the offset table
    DcmPixelItem *item = nullptr;
    Uint8 *bytes = nullptr;
    if (sequence.getItem(item, i).bad() || !item) damaged("a fragment of the frame is missing");
    const size_t count = item->getLength();
    if (count == 0) continue;
    require(item->getUint8Array(bytes), "a fragment of the frame: ");
    if (!bytes) damaged("a fragment of the frame cannot be read");
    stream.insert(stream.end(), bytes, bytes + count);
    item->compact(); // it is loaded again if the library decodes
  }
  if (stream.empty()) damaged("no frame");
  return stream;
}

/// Whether the library can be left to decode the stream; false if it is handed on as JPEG.
bool isForLibrary(Owner &owner, size_t count, cleft_dicom_image &image) {
  const StreamHeader header = findHeader(owner.stream);
  if (header.isArithmetic()) unsupported("arithmetic JPEG coding");
  if (header.components != 1) unsupported("a JPEG frame of " + std::to_string(header.components) + " components");
  if (header.width != image.width || header.height != image.height)
    damaged("a JPEG frame of " + std::to_string(header.width) + " x " + std::to_string(header.height) +
            " pixels, Columns x Rows say " + std::to_string(image.width) + " x " + std::to_string(image.height));
  if (header.precision > image.bits_allocated)
    damaged("a JPEG frame of " + std::to_string(header.precision) + " bits in " +
            std::to_string(image.bits_allocated));
  checkEnd(owner.stream);
  if (header.isCommon()) {
    image.jpeg = owner.stream.data();
    image.jpeg_count = owner.stream.size();
    return false;
  }
  // A bit a pixel; a bit a block; runs of up to 32,768 pixels a bit, ended by each row.
  const double bytes = double(count);
  checkCapacity(image, count, header.isLossless() ? 8 * bytes : header.isJPEGLS() ? 65536 * bytes : 512 * bytes);
  return true;
}

/// Points into the library's uncompressed pixels.
void takeCells(DcmDataset &data, cleft_dicom_image &image) {
  const unsigned long count = (unsigned long)image.width * (unsigned long)image.height;
  unsigned long found = 0;
  const Uint8 *bytes = nullptr;
  const Uint16 *words = nullptr;
  OFCondition condition;
  if (image.bits_allocated == 16) {
    condition = data.findAndGetUint16Array(DCM_PixelData, words, &found);
  } else {
    condition = data.findAndGetUint8Array(DCM_PixelData, bytes, &found);
    if (condition.bad() && data.findAndGetUint16Array(DCM_PixelData, words, &found).good()) {
      bytes = reinterpret_cast<const Uint8 *>(words); // words of two pixels, the first one low
      found *= 2;
      condition = EC_Normal;
    }
  }
  require(condition, "PixelData: ");
  if (found < count || (!bytes && !words))
    damaged("PixelData holds " + std::to_string(found) + " values, expected " + std::to_string(count));
  image.cells8 = image.bits_allocated == 8 ? bytes : nullptr;
  image.cells16 = image.bits_allocated == 16 ? words : nullptr;
}

/// A deflated value may be far longer than the picture, and is loaded whole.
void checkLength(DcmPixelData &pixels, const cleft_dicom_image &image) {
  const double length = pixels.getLength(EXS_LittleEndianExplicit), room = 2.0 * image.width * image.height + 65536;
  if (length <= room) return;
  throw Refusal{CLEFT_DICOM_TOO_LARGE,
                "PixelData of " + std::to_string(uint64_t(length)) + " bytes for " + std::to_string(image.width) +
                    " x " + std::to_string(image.height) + " pixels"};
}

/// Told by the stream's first bytes, bare or in the boxes of a JP2 file: the library does not know the names of the
/// high-throughput syntaxes, which OpenJPEG decodes.
bool isJPEG2000(const std::vector<uint8_t> &s) {
  return s.size() > 8 && ((s[0] == 0xFF && s[1] == 0x4F) || (s[4] == 'j' && s[5] == 'P'));
}

std::string syntaxName(Owner &owner) {
  OFString uid;
  owner.file.getMetaInfo()->findAndGetOFString(DCM_TransferSyntaxUID, uid);
  return "transfer syntax " + std::string(uid.c_str());
}

} // namespace

void readFrame(Owner &owner, E_TransferSyntax syntax, size_t count, cleft_dicom_image &image) {
  DcmDataset &data = *owner.file.getDataset();
  DcmElement *element = nullptr;
  if (data.findAndGetElement(DCM_PixelData, element).bad() || !element) damaged("no PixelData");
  auto *pixels = dynamic_cast<DcmPixelData *>(element);
  if (!pixels) damaged("PixelData of an unknown kind");
  const double cell = image.bits_allocated / 8.0, bytes = double(count);
  E_TransferSyntax stored = EXS_Unknown;
  const DcmRepresentationParameter *parameter = nullptr;
  DcmPixelSequence *sequence = nullptr;
  pixels->getOriginalRepresentationKey(stored, parameter);
  if (pixels->getEncapsulatedRepresentation(stored, parameter, sequence).bad() || !sequence) {
    const bool is_deflated = syntax == EXS_DeflatedLittleEndianExplicit;
    checkCapacity(image, count, (is_deflated ? deflate_ratio : 1) * bytes / cell);
    if (is_deflated) checkLength(*pixels, image);
    takeCells(data, image);
    return;
  }
  if (syntax == EXS_RLELossless) {
    checkCapacity(image, count, 64 * bytes / cell); // two bytes give at most 128
  } else {
    owner.stream = joined(*sequence);
    if (isJPEG2000(owner.stream)) {
      checkCapacity(image, count, 65536 * bytes); // an empty picture of any sensible size still fits
      decodeJPEG2000(owner.stream.data(), owner.stream.size(), owner, image);
      return;
    }
    if (owner.stream[0] != 0xFF) unsupported(syntaxName(owner));
    if (!isForLibrary(owner, count, image)) return;
    std::vector<uint8_t>().swap(owner.stream);
  }
  if (!DcmCodecList::canChangeCoding(syntax, EXS_LittleEndianExplicit)) unsupported(syntaxName(owner));
  takeComplaint();
  const OFCondition condition = data.chooseRepresentation(EXS_LittleEndianExplicit, nullptr);
  require(condition);
  const std::string complaint = takeComplaint();
  if (!complaint.empty()) damaged(complaint);
  Uint16 allocated = 0;
  if (data.findAndGetUint16(DCM_BitsAllocated, allocated).good()) image.bits_allocated = allocated;
  takeCells(data, image);
}

} // namespace cleft
