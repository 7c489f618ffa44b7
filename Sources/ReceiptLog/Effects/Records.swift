import ClawWire

/// Longest text that a record carries for people, in UTF-16 units, as the reference limits it (WIRE section 5).
let maximumReasonUnits = 256

/// Cuts text to a number of UTF-16 units without cutting a scalar in two.
func prefix(_ text: String, utf16Units maximum: Int) -> String {
    guard text.utf16.count > maximum else { return text }
    var kept = String.UnicodeScalarView()
    var units = 0
    for scalar in text.unicodeScalars {
        units += scalar.value > 0xFFFF ? 2 : 1
        if units > maximum { break }
        kept.append(scalar)
    }
    return String(kept)
}

/// Text without white space at its ends.
func trimmed(_ text: String) -> String {
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
        let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    return String(scalars[first...last])
}
