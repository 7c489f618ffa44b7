import Foundation
import FuzzTargets
import SurfaceTargets
import TestSupport
import Testing

/// Mutated seeds through every target: a short run of what `./dev fuzz` does for as long as one likes.
struct FuzzTargetsTests {
    private static let seeds = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Seeds")
    private static let rounds = 400

    private static let targets = FuzzTarget.core + FuzzTarget.surface

    private struct Found: Error {
        let what: String
        let input: String
    }

    @Test(arguments: targets.map(\.name))
    func nothingBreaksIt(_ name: String) throws {
        let target = try #require(Self.targets.first { $0.name == name })
        let folder = Self.seeds.appending(path: name)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
        let inputs = try files.map { [UInt8](try Data(contentsOf: $0)) }
        #expect(!inputs.isEmpty, "\(folder.path) holds no seed")
        var random = SeededGenerator(seed: 20_261_123)
        func feed(_ input: [UInt8]) throws {
            do {
                try target.body(input)
            } catch {
                throw Found(what: "\(error)", input: Data(input).base64EncodedString())
            }
        }
        try feed([])
        for input in inputs {
            try feed(input)
            for _ in 0..<Self.rounds { try feed(Mutation.of(input, and: inputs, with: &random)) }
        }
    }

    @Test func everyFolderOfSeedsHasATarget() throws {
        let names = Set(Self.targets.map(\.name))
        for folder in try FileManager.default.contentsOfDirectory(atPath: Self.seeds.path) {
            #expect(names.contains(folder), "\(folder) is no target")
        }
    }
}

/// Small changes that keep most of an input as it was.
enum Mutation {
    private static let words = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "null", "-0", "1e309", "9007199254740993", "..",
        "\u{0}", "\u{FEFF}", "e", "=", "—", "\n",
    ].map { Array($0.utf8) }

    static func of(_ input: [UInt8], and others: [[UInt8]], with random: inout SeededGenerator) -> [UInt8] {
        var bytes = input
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let end = min(bytes.count, place + Int.random(in: 0...16, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes.removeSubrange(place..<end)
            case 1: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 2: bytes.insert(contentsOf: words.randomElement(using: &random) ?? [], at: place)
            case 3 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 4 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
            default:
                let other = others.randomElement(using: &random) ?? []
                guard !other.isEmpty else { continue }
                let start = Int.random(in: 0..<other.count, using: &random)
                bytes.replaceSubrange(place..<end, with: other[start..<min(other.count, start + 24)])
            }
        }
        return bytes
    }
}
