#include <algorithm>

#include "internal.h"

namespace cleft {
namespace {

enum : unsigned { SOC = 0xFF4F, SIZ = 0xFF51, COD = 0xFF52, COC = 0xFF53, SOT = 0xFF90, SOD = 0xFF93, EOC = 0xFFD9 };

/// Big-endian numbers; beyond the end the stream is damaged.
struct Numbers {
  const uint8_t *bytes;
  size_t count;

  uint64_t operator()(size_t at, size_t width) const {
    if (at > count || width > count - at) damaged("JPEG 2000: the stream ends within its headers");
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++) number = number << 8 | bytes[at + i];
    return number;
  }
};

uint64_t quotientUp(uint64_t number, uint64_t by) { return number / by + (number % by != 0); }

/// One axis: the picture's place on the canvas and that of the tiles.
struct Axis {
  uint64_t end, start, tile, tile_start;

  uint64_t tiles() const { return quotientUp(end - tile_start, tile); }

  /// Precincts of one tile along the axis at the resolution that is 2^halvings times smaller.
  uint64_t precincts(uint64_t index, unsigned halvings, unsigned exponent) const {
    const uint64_t corner = tile_start + index * tile;
    const uint64_t from = std::max(corner, start), to = std::min(corner + tile, end);
    const uint64_t low = quotientUp(from, uint64_t(1) << halvings), high = quotientUp(to, uint64_t(1) << halvings);
    if (high <= low) return 0;
    return quotientUp(high, uint64_t(1) << exponent) - (low >> exponent);
  }
};

/// Checks a stream's headers in the order in which they come.
class Codestream {
public:
  Codestream(const uint8_t *bytes, size_t count, const cleft_dicom_image &image)
      : number{bytes, count}, image(image), pixels(uint64_t(image.width) * uint64_t(image.height)) {}

  void check() {
    at = start();
    readSize();
    bool has_style = false;
    for (; marker() != SOT; next()) {
      if (marker() == COC) unsupported("JPEG 2000 with several coding styles");
      if (marker() != COD) continue;
      if (has_style) damaged("JPEG 2000: two coding styles");
      has_style = true;
      readStyle();
    }
    if (!has_style) damaged("JPEG 2000: no coding style");
    checkTileParts();
  }

private:
  Numbers number;
  const cleft_dicom_image &image;
  uint64_t pixels;
  size_t at = 0;
  Axis x{}, y{};

  unsigned marker() const { return unsigned(number(at, 2)); }

  void next() {
    const uint64_t length = number(at + 2, 2);
    if (marker() < 0xFF40 || length < 2) damaged("JPEG 2000: no marker where one must be");
    at += 2 + size_t(length);
  }

  [[noreturn]] void refuse(uint64_t parts, const char *name) const {
    throw Refusal{CLEFT_DICOM_TOO_LARGE, "JPEG 2000: it claims " + std::to_string(parts) + " " + name + ", its " +
                                             std::to_string(number.count) + " bytes and " + std::to_string(pixels) +
                                             " pixels have room for fewer"};
  }

  /// Where the codestream starts: at once, or in a box of a JP2 file.
  size_t start() const {
    if (number(0, 2) == SOC) return 0;
    size_t box = 0;
    for (;;) {
      uint64_t length = number(box, 4), header = 8;
      if (length == 1) length = number(box + 8, 8), header = 16;
      if (number(box + 4, 4) == 0x6A703263) return box + size_t(header); // jp2c
      if (length < header || length > number.count - box) damaged("JPEG 2000: a damaged box");
      box += size_t(length);
    }
  }

  /// The library makes tables for all tiles of all components as soon as it has read this.
  void readSize() {
    if (marker() != SOC || number(at + 2, 2) != SIZ) damaged("JPEG 2000: no size");
    at += 2;
    x = {number(at + 6, 4), number(at + 14, 4), number(at + 22, 4), number(at + 30, 4)};
    y = {number(at + 10, 4), number(at + 18, 4), number(at + 26, 4), number(at + 34, 4)};
    const uint64_t components = number(at + 38, 2);
    if (components != 1) unsupported("a JPEG 2000 frame of " + std::to_string(components) + " components");
    if (number(at + 41, 2) != 0x0101) unsupported("a subsampled JPEG 2000 frame");
    for (const Axis &axis : {x, y})
      if (axis.tile == 0 || axis.end <= axis.start || axis.tile_start > axis.start ||
          axis.tile_start + axis.tile <= axis.start)
        damaged("JPEG 2000: a tile grid that does not cover the picture");
    if (x.end - x.start != uint64_t(image.width) || y.end - y.start != uint64_t(image.height))
      damaged("a JPEG 2000 frame of " + std::to_string(x.end - x.start) + " x " + std::to_string(y.end - y.start) +
              " pixels, Columns x Rows say " + std::to_string(image.width) + " x " + std::to_string(image.height));
    const uint64_t tiles = x.tiles() * y.tiles();
    // Each takes 14 bytes of headers; tiles smaller than 32 x 32 are of no use to anybody.
    if (tiles > number.count / 14 || tiles > 16 + pixels / 1024) refuse(tiles, "tiles");
    next();
  }

  /// Each layer of each precinct takes a byte, however empty it is.
  void readStyle() const {
    const bool has_precincts = number(at + 4, 1) & 1;
    const uint64_t layers = number(at + 6, 2);
    const auto levels = unsigned(number(at + 9, 1));
    if (levels > 32) damaged("JPEG 2000: " + std::to_string(levels) + " levels");
    uint64_t precincts = 0, columns, rows;
    for (unsigned level = 0; level <= levels; level++) {
      const unsigned exponents = has_precincts ? unsigned(number(at + 14 + level, 1)) : 0xFF;
      columns = rows = 0;
      for (uint64_t i = 0; i < x.tiles(); i++) columns += x.precincts(i, levels - level, exponents & 15);
      for (uint64_t i = 0; i < y.tiles(); i++) rows += y.precincts(i, levels - level, exponents >> 4);
      precincts += columns * rows; // each below 2^36, and the sum is looked at before the next one is added
      if (precincts > number.count || precincts * layers > number.count) refuse(precincts * layers, "packets");
    }
    if (precincts > x.tiles() * y.tiles() * (levels + 1) * 4 + pixels / 256) refuse(precincts, "precincts");
  }

  /// What was checked must hold for every tile.
  void checkTileParts() {
    while (at + 1 < number.count && marker() == SOT) {
      const size_t part = at;
      const uint64_t length = number(part + 6, 4);
      for (next(); marker() != SOD; next())
        if (marker() == COD || marker() == COC) unsupported("JPEG 2000 with several coding styles");
      if (length == 0) return; // up to the end
      if (length < at + 2 - part) damaged("JPEG 2000: a tile part of " + std::to_string(length) + " bytes");
      at = part + size_t(length);
    }
    // Without an end mark there may be padding; the library looks no further either.
    if (at + 1 < number.count && marker() != EOC && marker() >= 0xFF00)
      damaged("JPEG 2000: no marker where one must be");
  }
};

} // namespace

void checkCodestream(const uint8_t *bytes, size_t count, const cleft_dicom_image &image) {
  Codestream(bytes, count, image).check();
}

} // namespace cleft
