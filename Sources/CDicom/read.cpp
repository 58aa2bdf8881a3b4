#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>

#include "internal.h"
#include "stream.h"

#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

namespace cleft {

void prepare() {
  static std::once_flag once;
  std::call_once(once, [] {
    DcmRLEDecoderRegistration::registerCodecs();
    DcmRLEEncoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs(EDC_never); // keep the stored color model
    DJLSDecoderRegistration::registerCodecs();
    listenForDamage();
  });
}

void checkCapacity(const cleft_dicom_image &image, size_t count, double capacity) {
  if (double(image.width) * image.height <= capacity) return;
  char text[200];
  std::snprintf(text, sizeof text, "it claims %d x %d pixels, its %zu bytes can hold at most %.0f", image.width,
                image.height, count, std::floor(capacity));
  throw Refusal{CLEFT_DICOM_TOO_LARGE, text};
}

namespace {

/// What may come out of a file of `count` bytes: all of it, or of a deflated one as much as its pixels can need.
BoundedStream::Limits limits(size_t count, int64_t max_pixels) {
  constexpr int64_t extra = 16 << 20;
  const double inflated = std::min(2.0 * double(max_pixels), deflate_ratio * double(count));
  return {std::max(int64_t(count), int64_t(inflated)) + extra, int64_t(count) + extra / 4};
}

/// Parses the whole file out of memory.
E_TransferSyntax parse(const uint8_t *bytes, size_t count, int64_t max_pixels, DcmFileFormat &file) {
  BoundedStream stream(bytes, count, limits(count, max_pixels));
  file.transferInit();
  const OFCondition condition = file.read(stream);
  file.transferEnd();
  stream.check();
  // The reader of a buffer asks for more where the reader of a file would find its end.
  if (condition == EC_StreamNotifyClient || condition == EC_InvalidStream)
    damaged("the file ends early, or is no DICOM");
  require(condition);
  return file.getDataset()->getOriginalXfer();
}

/// Refuses values far too long for what they are, before they are loaded: a few deflated bytes may hold gigabytes.
void checkLengths(DcmItem &data) {
  constexpr Uint32 most = 1 << 18; // a lookup table of 65,536 entries takes half of it
  for (const DcmTagKey &key :
       {DCM_Rows, DCM_Columns, DCM_SamplesPerPixel, DCM_PhotometricInterpretation, DCM_NumberOfFrames,
        DCM_BitsAllocated, DCM_BitsStored, DCM_HighBit, DCM_PixelRepresentation, DCM_RescaleSlope,
        DCM_RescaleIntercept, DCM_WindowCenter, DCM_WindowWidth, DCM_VOILUTFunction, DCM_LUTDescriptor, DCM_LUTData}) {
    DcmElement *element = nullptr;
    if (data.findAndGetElement(key, element).bad() || !element) continue;
    const Uint32 length = element->getLengthField();
    if (length > most)
      damaged(std::string(DcmTag(key).getTagName()) + " of " + std::to_string(length) + " bytes");
  }
}

/// A number that must be there.
Uint16 whole(DcmDataset &data, const DcmTagKey &key, const char *name) {
  Uint16 value = 0;
  if (data.findAndGetUint16(key, value).bad()) damaged(std::string("no ") + name);
  return value;
}

/// A decimal string's first number; false if the element is absent or empty.
bool decimal(DcmDataset &data, const DcmTagKey &key, const char *name, double &value) {
  if (!data.tagExistsWithValue(key)) return false;
  if (data.findAndGetFloat64(key, value).bad() || !std::isfinite(value))
    damaged(std::string(name) + " is not a number");
  return true;
}

void readSize(DcmDataset &data, int64_t max_pixels, cleft_dicom_image &image) {
  image.height = whole(data, DCM_Rows, "Rows");
  image.width = whole(data, DCM_Columns, "Columns");
  const std::string size = std::to_string(image.width) + " x " + std::to_string(image.height) + " pixels";
  if (image.width == 0 || image.height == 0) damaged(size);
  if (int64_t(image.width) * image.height > max_pixels)
    throw Refusal{CLEFT_DICOM_TOO_LARGE, size + ", the limit is " + std::to_string(max_pixels)};
}

/// Refuses what is not one gray frame of 8 or 16 bits.
void readKind(DcmDataset &data, cleft_dicom_image &image) {
  const Uint16 samples = whole(data, DCM_SamplesPerPixel, "SamplesPerPixel");
  OFString photometric;
  data.findAndGetOFString(DCM_PhotometricInterpretation, photometric);
  if (samples != 1 || photometric.compare(0, 10, "MONOCHROME") != 0)
    unsupported("PhotometricInterpretation '" + std::string(photometric.c_str()) + "' with " +
                std::to_string(samples) + " samples a pixel");
  image.is_monochrome1 = photometric.compare(0, 11, "MONOCHROME1") == 0;
  Sint32 frames = 1;
  if (data.findAndGetSint32(DCM_NumberOfFrames, frames).good() && frames > 1)
    unsupported(std::to_string(frames) + " frames");
  image.bits_allocated = whole(data, DCM_BitsAllocated, "BitsAllocated");
  if (image.bits_allocated != 8 && image.bits_allocated != 16)
    unsupported("BitsAllocated " + std::to_string(image.bits_allocated));
  image.bits_stored = whole(data, DCM_BitsStored, "BitsStored");
  image.high_bit = whole(data, DCM_HighBit, "HighBit");
  if (image.bits_stored < 1 || image.high_bit + 1 < image.bits_stored || image.high_bit >= image.bits_allocated)
    damaged("BitsStored " + std::to_string(image.bits_stored) + " and HighBit " + std::to_string(image.high_bit) +
            " of " + std::to_string(image.bits_allocated) + " bits");
  image.is_signed = whole(data, DCM_PixelRepresentation, "PixelRepresentation") != 0;
}

/// The first table of a sequence, if there is one.
///
/// Where the file leaves the sign of the first input value to the reader (implicit VR), pixels decide.
void readTable(DcmDataset &data, const DcmTagKey &key, const char *name, bool is_signed, std::vector<uint16_t> &values,
               cleft_dicom_lut &table) {
  DcmItem *item = nullptr;
  DcmElement *descriptor = nullptr;
  if (data.findAndGetSequenceItem(key, item, 0).bad() || !item) return;
  checkLengths(*item);
  const std::string place = std::string(name) + ": ";
  if (item->findAndGetElement(DCM_LUTDescriptor, descriptor).bad()) damaged(place + "no LUTDescriptor");
  int32_t numbers[3];
  const bool has_sign = descriptor->getVR() == EVR_SS || (descriptor->getVR() != EVR_US && is_signed);
  for (unsigned long i = 0; i < 3; i++) {
    Uint16 number = 0;
    Sint16 signed_number = 0;
    if (descriptor->getSint16(signed_number, i).good()) number = Uint16(signed_number);
    else if (descriptor->getUint16(number, i).bad()) damaged(place + "LUTDescriptor without three numbers");
    numbers[i] = number;
  }
  table.entries = numbers[0] == 0 ? 65536 : numbers[0];
  table.first = has_sign ? Sint16(numbers[1]) : numbers[1];
  table.bits = numbers[2];
  if (table.bits < 8 || table.bits > 16) damaged(place + std::to_string(table.bits) + " bits an entry");
  const Uint16 *words = nullptr;
  unsigned long count = 0;
  if (item->findAndGetUint16Array(DCM_LUTData, words, &count).bad() || !words) damaged(place + "no LUTData");
  const unsigned long entries = (unsigned long)table.entries;
  values.resize(entries);
  if (count >= entries) {
    for (unsigned long i = 0; i < entries; i++) values[i] = words[i];
  } else if (table.bits == 8 && count * 2 >= entries) { // two entries a word, the first one low
    for (unsigned long i = 0; i < entries; i++) values[i] = Uint16((words[i / 2] >> (8 * (i & 1))) & 0xFF);
  } else {
    damaged(place + std::to_string(count) + " entries, the descriptor says " + std::to_string(entries));
  }
  table.values = values.data();
}

void readShowing(DcmDataset &data, Owner &owner, cleft_dicom_image &image) {
  double slope = 1, intercept = 0;
  const bool has_slope = decimal(data, DCM_RescaleSlope, "RescaleSlope", slope);
  const bool has_intercept = decimal(data, DCM_RescaleIntercept, "RescaleIntercept", intercept);
  image.has_rescale = has_slope || has_intercept;
  image.slope = slope;
  image.intercept = intercept;
  image.has_window = decimal(data, DCM_WindowCenter, "WindowCenter", image.window_center) &&
                     decimal(data, DCM_WindowWidth, "WindowWidth", image.window_width);
  OFString function;
  data.findAndGetOFString(DCM_VOILUTFunction, function);
  std::snprintf(image.voi_function, sizeof image.voi_function, "%s", function.c_str());
  readTable(data, DCM_ModalityLUTSequence, "ModalityLUTSequence", image.is_signed, owner.modality, image.modality);
  readTable(data, DCM_VOILUTSequence, "VOILUTSequence", image.is_signed, owner.voi, image.voi);
}

} // namespace
} // namespace cleft

extern "C" int cleft_dicom_read(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_dicom_image *image,
                                char *error) {
  std::memset(image, 0, sizeof *image);
  return cleft::guarded(error, [&] {
    cleft::prepare();
    auto owner = std::make_unique<cleft::Owner>();
    const E_TransferSyntax syntax = cleft::parse(bytes, count, max_pixels, owner->file);
    DcmDataset &data = *owner->file.getDataset();
    cleft::checkLengths(data);
    cleft::readSize(data, max_pixels, *image);
    cleft::readKind(data, *image);
    cleft::readShowing(data, *owner, *image);
    cleft::readFrame(*owner, syntax, count, *image);
    image->owner = owner.release();
  });
}

extern "C" void cleft_dicom_free(cleft_dicom_image *image) {
  delete static_cast<cleft::Owner *>(image->owner);
  image->owner = nullptr;
}
