import CImageCodecs

/// What the C library does with memory that decoders free.
public enum DecoderMemory {
  /// Lets it keep up to 256 MiB in buffers of up to 32 MiB for the next picture.
  ///
  /// Giving pages back and faulting them in again for every picture takes longer than decoding some of them.
  public static func keepFreed() { cleft_keep_freed_memory() }
}
