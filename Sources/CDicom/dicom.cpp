#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

#include "CDicom.h"

namespace {

void prepare() {
  static std::once_flag once;
  std::call_once(once, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DcmRLEDecoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs(EDC_never); // keep the stored color model
    DJLSDecoderRegistration::registerCodecs();
  });
}

int say(char *error, const std::string &text) {
  std::snprintf(error, 200, "%s", text.c_str());
  return 1;
}

int read(const char *path, int64_t max_pixels, cleft_dicom_image *image, char *error) {
  prepare();
  DcmFileFormat file;
  OFCondition condition = file.loadFile(path);
  if (condition.bad()) return say(error, condition.text());
  DcmDataset *data = file.getDataset();
  Uint16 rows = 0, columns = 0, allocated = 0, stored = 0, is_signed = 0, samples = 1;
  if (data->findAndGetUint16(DCM_Rows, rows).bad() || data->findAndGetUint16(DCM_Columns, columns).bad())
    return say(error, "no Rows or Columns");
  if (rows == 0 || columns == 0) return say(error, "zero Rows or Columns");
  if (int64_t(rows) * columns > max_pixels)
    return say(error, std::to_string(columns) + " x " + std::to_string(rows) + " pixels, more than the limit of " +
                          std::to_string(max_pixels));
  data->findAndGetUint16(DCM_SamplesPerPixel, samples);
  if (samples != 1) return say(error, std::to_string(samples) + " samples a pixel, expected 1 (monochrome)");
  if (data->findAndGetUint16(DCM_BitsAllocated, allocated).bad()) return say(error, "no BitsAllocated");
  if (allocated != 8 && allocated != 16) return say(error, "BitsAllocated " + std::to_string(allocated));
  data->findAndGetUint16(DCM_BitsStored, stored);
  data->findAndGetUint16(DCM_PixelRepresentation, is_signed);
  OFString photometric;
  data->findAndGetOFString(DCM_PhotometricInterpretation, photometric);
  if (photometric.compare(0, 10, "MONOCHROME") != 0)
    return say(error, "PhotometricInterpretation " + std::string(photometric.c_str()) + ", expected MONOCHROME1 or 2");
  Sint32 frames = 1;
  if (data->findAndGetSint32(DCM_NumberOfFrames, frames).bad()) frames = 1;

  condition = data->chooseRepresentation(EXS_LittleEndianExplicit, nullptr);
  if (condition.bad())
    return say(error, std::string("transfer syntax ") + DcmXfer(data->getOriginalXfer()).getXferName() + ": " +
                          condition.text());
  const size_t count = size_t(rows) * columns;
  image->values = static_cast<int32_t *>(std::malloc(count * sizeof(int32_t)));
  if (!image->values) return say(error, "out of memory");
  unsigned long available = 0;
  bool enough = false;
  if (allocated == 8) {
    const Uint8 *bytes = nullptr;
    condition = data->findAndGetUint8Array(DCM_PixelData, bytes, &available);
    const Uint16 *words = nullptr; // OW in a file that stores 8 bits
    if (condition.bad() && data->findAndGetUint16Array(DCM_PixelData, words, &available).good()) {
      bytes = reinterpret_cast<const Uint8 *>(words);
      available *= 2;
      condition = EC_Normal;
    }
    enough = condition.good() && bytes && available >= count;
    for (size_t i = 0; enough && i < count; i++) image->values[i] = is_signed ? int32_t(Sint8(bytes[i])) : bytes[i];
  } else {
    const Uint16 *words = nullptr;
    condition = data->findAndGetUint16Array(DCM_PixelData, words, &available);
    enough = condition.good() && words && available >= count;
    for (size_t i = 0; enough && i < count; i++) image->values[i] = is_signed ? int32_t(Sint16(words[i])) : words[i];
  }
  if (!enough) {
    std::free(image->values);
    image->values = nullptr;
    return say(error, condition.bad() ? std::string("PixelData: ") + condition.text()
                                      : "PixelData holds " + std::to_string(available) + " values, expected " +
                                            std::to_string(count));
  }
  image->width = columns;
  image->height = rows;
  image->frames = frames;
  image->bits_stored = stored;
  image->is_monochrome1 = photometric.compare(0, 11, "MONOCHROME1") == 0;
  return 0;
}

int write(const char *path, const uint16_t *values, int32_t width, int32_t height, const cleft_dicom_fields *f,
          char *error) {
  prepare();
  DcmFileFormat file;
  DcmDataset *d = file.getDataset();
  d->putAndInsertString(DCM_SOPClassUID, UID_DigitalXRayImageStorageForPresentation);
  d->putAndInsertString(DCM_SOPInstanceUID, f->sop_instance_uid);
  d->putAndInsertString(DCM_StudyInstanceUID, f->study_instance_uid);
  d->putAndInsertString(DCM_SeriesInstanceUID, f->series_instance_uid);
  d->putAndInsertString(DCM_Modality, "DX");
  d->putAndInsertString(DCM_BodyPartExamined, "CHEST");
  d->putAndInsertString(DCM_PatientID, f->patient_id);
  d->putAndInsertString(DCM_PatientName, f->patient_id);
  d->putAndInsertString(DCM_PatientSex, f->sex);
  d->putAndInsertString(DCM_PatientAge, f->age);
  d->putAndInsertString(DCM_ViewPosition, f->view);
  d->putAndInsertString(DCM_PhotometricInterpretation, f->is_monochrome1 ? "MONOCHROME1" : "MONOCHROME2");
  d->putAndInsertUint16(DCM_SamplesPerPixel, 1);
  d->putAndInsertUint16(DCM_Rows, Uint16(height));
  d->putAndInsertUint16(DCM_Columns, Uint16(width));
  const bool wide = f->bits_stored > 8;
  d->putAndInsertUint16(DCM_BitsAllocated, wide ? 16 : 8);
  d->putAndInsertUint16(DCM_BitsStored, Uint16(f->bits_stored));
  d->putAndInsertUint16(DCM_HighBit, Uint16(f->bits_stored - 1));
  d->putAndInsertUint16(DCM_PixelRepresentation, 0);
  const size_t count = size_t(width) * height;
  OFCondition condition;
  if (wide) {
    condition = d->putAndInsertUint16Array(DCM_PixelData, values, (unsigned long)count);
  } else {
    std::vector<Uint8> bytes(count + (count & 1));
    for (size_t i = 0; i < count; i++) bytes[i] = Uint8(values[i]);
    condition = d->putAndInsertUint8Array(DCM_PixelData, bytes.data(), (unsigned long)bytes.size());
  }
  if (condition.good()) condition = file.saveFile(path, EXS_LittleEndianExplicit);
  return condition.good() ? 0 : say(error, condition.text());
}

} // namespace

extern "C" int cleft_dicom_read(const char *path, int64_t max_pixels, cleft_dicom_image *image, char *error) {
  try {
    return read(path, max_pixels, image, error);
  } catch (const std::exception &e) {
    return say(error, e.what());
  }
}

extern "C" int cleft_dicom_write(const char *path, const uint16_t *values, int32_t width, int32_t height,
                                 const cleft_dicom_fields *fields, char *error) {
  try {
    return write(path, values, width, height, fields, error);
  } catch (const std::exception &e) {
    return say(error, e.what());
  }
}
