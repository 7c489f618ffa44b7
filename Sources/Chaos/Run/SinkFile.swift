import ClawWire
import Foundation

/// The file of security events, as a collector would take it: numbers without a gap, repeats allowed.
enum SinkFile {
    /// What is wrong with the events of a file; `nil` when each of the first `count` events is there.
    static func fault(in text: String, count: Int) -> String? {
        var next = 0
        for line in text.split(separator: "\n") {
            guard let event = try? JSONReader.parse(String(line)),
                let number = event["metadata"]?["sequence"]?.integer
            else { return "a line that is no event: \(line.prefix(200))" }
            if number > next { return "after event \(next - 1) comes event \(number)" }
            if number == next { next += 1 }
        }
        return next < count ? "\(next) of \(count) events are there" : nil
    }
}
