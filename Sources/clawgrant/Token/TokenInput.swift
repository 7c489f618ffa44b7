import ArgumentParser
import ClawWire
import Foundation

/// Where a token comes from: a file or standard input. Never an argument, which every user of the machine can see.
struct TokenInput: ParsableArguments {
    @Argument(
        help: ArgumentHelp("A file with the token; - or nothing for standard input.", valueName: "file"),
        completion: .file())
    var path: String = "-"

    mutating func validate() throws {
        // The mistake is easily made, and the token is then in the shell's history: say so.
        if path.hasPrefix("eyJ"), path.count(where: { $0 == "." }) >= 2,
            !FileManager.default.fileExists(atPath: path)
        {
            throw ValidationError(
                "a token was given as an argument, where others can see it: consider it lost, revoke it, and give tokens "
                    + "in files or through standard input")
        }
    }

    /// The text without white space around it.
    func text() throws -> String {
        let bytes = try InputFile.bytes(path, atMost: 1 << 20)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure.usage("the token is not text")
        }
        return ExactText.trimmed(text)
    }
}

extension CSTClaims {
    /// The claims as they stand in the token.
    var document: JSONValue { (try? JSONReader.parse(json, limits: .token)) ?? .null }

    /// The claims for people, one line each.
    var lines: [String] {
        var rows: [[String]] = []
        for member in document.object?.members ?? [] {
            let text: String
            switch (member.key, member.value) {
            case ("iat", .number), ("exp", .number), ("nbf", .number):
                let seconds = member.value.integer ?? 0
                text = "\(seconds) (\(Timestamp(seconds: seconds)))"
            case (_, .string(let value)): text = value
            case (_, .array(let values)) where values.allSatisfy({ $0.string != nil }):
                text = values.compactMap(\.string).joined(separator: ", ")
            default: text = JSONWriter.text(member.value)
            }
            rows.append([member.key, Console.plain(text)])
        }
        return Console.table(rows)
    }
}
