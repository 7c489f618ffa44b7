import ClawWire
import Primitives

/// Instants as HTTP writes them (RFC 9110 section 5.6.7).
enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// For example `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func text(_ instant: Timestamp) -> String {
        let iso = Timestamp(seconds: instant.seconds).iso8601.split { !$0.isNumber }
        guard iso.count >= 6, let month = Int(iso[1]), (1...12).contains(month) else { return "" }
        let day = ((Int(instant.day) % 7) + 7) % 7
        return "\(days[day]), \(iso[2]) \(months[month - 1]) \(iso[0]) \(iso[3]):\(iso[4]):\(iso[5]) GMT"
    }
}

/// The field `date`, made once a second.
final class DateField: Sendable {
    private let state = Lock<(second: Int64, text: String)>((.min, ""))

    /// The text for an instant.
    func text(_ now: Timestamp) -> String {
        state.withLock { state in
            if state.second != now.seconds { state = (now.seconds, HTTPDate.text(now)) }
            return state.text
        }
    }
}
