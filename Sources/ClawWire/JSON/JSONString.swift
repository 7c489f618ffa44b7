/// How lone surrogates travel through a `String`, which can hold none.
///
/// ECMAScript strings may contain a surrogate without its partner, and the compatible hashes print it as a lowercase
/// `\udxxx` escape. The compatible reader maps U+D800…U+DFFF to the plane-16 private-use scalars from
/// ``surrogateBase``; the printers map them back. A document that itself holds one of these 2048 private-use scalars is
/// refused in both modes: two documents would otherwise print, and hash, the same.
enum JSONString {
    static let surrogateBase: UInt32 = 0x10_F000

    static func surrogate(of scalar: Unicode.Scalar) -> UInt32? {
        scalar.value >= surrogateBase && scalar.value < surrogateBase + 0x800
            ? scalar.value - surrogateBase + 0xD800 : nil
    }

    static func isReserved(_ value: UInt32) -> Bool { value >= surrogateBase && value < surrogateBase + 0x800 }

    static func holdsReservedScalar(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var i = range.lowerBound
        while i + 3 < range.upperBound {
            if bytes[i] == 0xF4, bytes[i + 1] == 0x8F, bytes[i + 2] >= 0x80, bytes[i + 2] < 0xA0,
                bytes[i + 3] & 0xC0 == 0x80
            {
                return true
            }
            i += 1
        }
        return false
    }
}
