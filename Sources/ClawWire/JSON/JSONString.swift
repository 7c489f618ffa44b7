/// How lone surrogates travel through a `String`, which can hold none.
///
/// ECMAScript strings may contain a surrogate without its partner, and the compatible hashes print it as a lowercase
/// `\udxxx` escape. The compatible reader maps U+D800…U+DFFF to the plane-16 private-use scalars from
/// ``surrogateBase``; the printers map them back. Documents in our own formats refuse lone surrogates, so the mapping
/// never meets them. A document that itself uses these private-use scalars is refused by the compatible printers' users
/// only in the sense that it hashes differently from ECMAScript, which fails closed.
enum JSONString {
    static let surrogateBase: UInt32 = 0x10_F000

    static func surrogate(of scalar: Unicode.Scalar) -> UInt32? {
        scalar.value >= surrogateBase && scalar.value < surrogateBase + 0x800
            ? scalar.value - surrogateBase + 0xD800 : nil
    }
}
