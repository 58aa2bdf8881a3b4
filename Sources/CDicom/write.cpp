#include "internal.h"

#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>

namespace cleft {
namespace {

void check(OFCondition condition) {
  if (condition.bad()) damaged(condition.text());
}

void putText(DcmDataset &data, const DcmTagKey &key, const char *text) {
  if (text) check(data.putAndInsertString(key, text));
}

void putHeader(DcmDataset &data, int32_t width, int32_t height, const cleft_dicom_fields &f) {
  putText(data, DCM_SOPClassUID, UID_DigitalXRayImageStorageForPresentation);
  putText(data, DCM_SOPInstanceUID, f.sop_instance_uid);
  putText(data, DCM_StudyInstanceUID, f.study_instance_uid);
  putText(data, DCM_SeriesInstanceUID, f.series_instance_uid);
  putText(data, DCM_Modality, "DX");
  putText(data, DCM_BodyPartExamined, "CHEST");
  putText(data, DCM_PatientID, f.patient_id);
  putText(data, DCM_PatientName, f.patient_id);
  putText(data, DCM_PatientSex, f.sex);
  putText(data, DCM_PatientAge, f.age);
  putText(data, DCM_ViewPosition, f.view);
  putText(data, DCM_WindowCenter, f.window_center);
  putText(data, DCM_WindowWidth, f.window_width);
  putText(data, DCM_RescaleSlope, f.rescale_slope);
  putText(data, DCM_RescaleIntercept, f.rescale_intercept);
  putText(data, DCM_PhotometricInterpretation, f.is_monochrome1 ? "MONOCHROME1" : "MONOCHROME2");
  check(data.putAndInsertUint16(DCM_SamplesPerPixel, 1));
  check(data.putAndInsertUint16(DCM_Rows, Uint16(height)));
  check(data.putAndInsertUint16(DCM_Columns, Uint16(width)));
  check(data.putAndInsertUint16(DCM_BitsAllocated, f.bits_stored > 8 ? 16 : 8));
  check(data.putAndInsertUint16(DCM_BitsStored, Uint16(f.bits_stored)));
  check(data.putAndInsertUint16(DCM_HighBit, Uint16(f.bits_stored - 1)));
  check(data.putAndInsertUint16(DCM_PixelRepresentation, 0));
}

void putCells(DcmDataset &data, const uint16_t *values, size_t count, bool is_wide) {
  if (is_wide) {
    check(data.putAndInsertUint16Array(DCM_PixelData, values, (unsigned long)count));
    return;
  }
  std::vector<Uint8> bytes(count + (count & 1));
  for (size_t i = 0; i < count; i++) bytes[i] = Uint8(values[i]);
  check(data.putAndInsertUint8Array(DCM_PixelData, bytes.data(), (unsigned long)bytes.size()));
}

/// One frame that is already compressed, behind an empty offset table.
void putStream(DcmDataset &data, const cleft_dicom_fields &f) {
  putText(data, DCM_LossyImageCompression, "01");
  putText(data, DCM_LossyImageCompressionMethod, "ISO_10918_1");
  auto *sequence = new DcmPixelSequence(DcmTag(DCM_PixelData, EVR_OB));
  sequence->insert(new DcmPixelItem(DcmTag(DCM_Item, EVR_OB)));
  DcmOffsetList offsets;
  auto *bytes = const_cast<Uint8 *>(f.jpeg); // the library's argument is not const, it copies
  check(sequence->storeCompressedFrame(offsets, bytes, Uint32(f.jpeg_count), 0));
  auto *pixels = new DcmPixelData(DCM_PixelData);
  pixels->putOriginalRepresentation(EXS_JPEGProcess1, nullptr, sequence);
  check(data.insert(pixels, OFTrue));
}

void write(const char *path, const uint16_t *values, int32_t width, int32_t height, const cleft_dicom_fields &f) {
  DcmFileFormat file;
  DcmDataset &data = *file.getDataset();
  putHeader(data, width, height, f);
  E_TransferSyntax syntax = EXS_LittleEndianExplicit;
  if (f.jpeg) {
    putStream(data, f);
    syntax = EXS_JPEGProcess1;
  } else {
    putCells(data, values, size_t(width) * size_t(height), f.bits_stored > 8);
    if (f.is_rle) {
      syntax = EXS_RLELossless;
      check(data.chooseRepresentation(syntax, nullptr));
    }
  }
  check(file.saveFile(path, syntax));
}

} // namespace
} // namespace cleft

extern "C" int cleft_dicom_write(const char *path, const uint16_t *values, int32_t width, int32_t height,
                                 const cleft_dicom_fields *fields, char *error) {
  return cleft::guarded(error, [&] {
    cleft::prepare();
    cleft::write(path, values, width, height, *fields);
  });
}
