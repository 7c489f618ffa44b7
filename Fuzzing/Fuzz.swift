import ClawWire
import Glibc

/// The entry that libFuzzer calls with each input. The target is named by `CLAWGRANT_FUZZ_TARGET`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    selected.body(bytes)
    return 0
}

private let selected: FuzzTarget = {
    let name = unsafe getenv("CLAWGRANT_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        print("CLAWGRANT_FUZZ_TARGET must be one of: \(FuzzTarget.all.map(\.name).joined(separator: " "))")
        exit(2)
    }
    return target
}()

/// A parser of strangers' bytes, with what must hold whatever they are. A trap, or `require`, is a finding.
struct FuzzTarget: Sendable {
    let name: String
    let body: @Sendable ([UInt8]) -> Void

    init(_ name: String, _ body: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.body = body
    }

    static let all = json + tokens + envelopes + evidence + sources + bundles
}

/// Ends the run with a sentence when something that must hold does not: libFuzzer keeps the input.
func require(_ condition: Bool, _ sentence: @autoclosure () -> String) {
    // A finding must stop the process, which is how libFuzzer learns of it; this code is in no product.
    if !condition { fatalError(sentence()) }
}

/// An instant and keys for what asks for them.
enum Fixed {
    static let now = Timestamp(seconds: 1_772_366_400)
    static let signer = fixedSigner()
    static let keys = [signer.publicKey]
    static let logID = LogID("logs.harborline.example/clawgrant")

    static let sealingKey = fixedSealingKey()

    private static func fixedSealingKey() -> SealingPrivateKey {
        guard let key = SealingPrivateKey(bytes: [UInt8](repeating: 7, count: 32)) else {
            fatalError("32 bytes are a key")
        }
        return key
    }

    private static func fixedSigner() -> SeedSigner {
        guard let signer = SeedSigner(seed: [UInt8](repeating: 7, count: 32)) else { fatalError("32 bytes are a seed") }
        return signer
    }
}
