/// The page's program, in ECMAScript without any framework: what the reader's browser runs.
///
/// It stands in raw strings, a subject a file, and is put together in the order of its needs. Two rules keep it safe:
/// text of the bundle reaches the page as text nodes alone, and nothing is looked up in a value of the bundle but its
/// own members.
enum PageScript {
    private static let parts = [
        encoding, crypto, trust, model, report, logChecks, evidenceChecks, bundleChecks, loggedCalls, verify, view,
        summary, timeline, details, start,
    ]

    /// The whole program.
    ///
    /// - Parameters:
    ///   - before: what tests want to run first.
    ///   - after: what tests want to run last, with everything of the program in reach.
    static func text(before: String = "", after: String = "") -> String {
        let program = ([before] + parts + [after]).filter { !$0.isEmpty }.joined(separator: "\n")
        return "(() => {\n\"use strict\";\n\(program)\n})();\n"
    }
}
