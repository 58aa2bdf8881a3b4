#include <cctype>
#include <cstring>

#include "internal.h"
#include "stream.h"

namespace cleft {
namespace {

/// Values behind ViewPosition, the last one asked for, are not looked at; elements come in order of their numbers.
const DcmTagKey end_of_traits(0x0018, 0x5102);

/// An element's first value without white space at its ends; empty if there is none, or one too long to be one.
template <size_t capacity> void readText(DcmDataset &data, const DcmTagKey &key, char (&text)[capacity]) {
  DcmElement *element = nullptr;
  OFString value;
  text[0] = 0;
  if (data.findAndGetElement(key, element).bad() || !element || element->getLengthField() >= 2 * capacity) return;
  if (element->getOFString(value, 0).bad()) return;
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) || c == 0; };
  size_t first = 0, last = value.length();
  while (first < last && is_space(value[first])) first++;
  while (last > first && is_space(value[last - 1])) last--;
  if (last - first >= capacity) return;
  std::memcpy(text, value.c_str() + first, last - first);
  text[last - first] = 0;
}

void readTraits(const uint8_t *bytes, size_t count, cleft_dicom_traits &traits) {
  constexpr int64_t most = 64 << 20; // what comes out of a deflated header, far more than one is
  BoundedStream stream(bytes, count, {int64_t(count) + most, int64_t(count) + most});
  DcmFileFormat file;
  file.transferInit();
  const OFCondition condition = file.readUntilTag(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength, end_of_traits);
  file.transferEnd();
  stream.check();
  if (condition == EC_StreamNotifyClient || condition == EC_InvalidStream) damaged("the header ends early, or is none");
  require(condition);
  DcmDataset &data = *file.getDataset();
  readText(data, DCM_PatientSex, traits.sex);
  readText(data, DCM_PatientAge, traits.age);
  readText(data, DCM_ViewPosition, traits.view);
}

} // namespace
} // namespace cleft

extern "C" int cleft_dicom_read_traits(const uint8_t *bytes, size_t count, cleft_dicom_traits *traits, char *error) {
  std::memset(traits, 0, sizeof *traits);
  return cleft::guarded(error, [&] {
    cleft::prepare();
    cleft::readTraits(bytes, count, *traits);
  });
}
