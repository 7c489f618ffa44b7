import ClawWire
import Keys
import Synchronization
import Testing

private let noon = morning.adding(seconds: 10_000)
private let evening = morning.adding(seconds: 20_000)

private func key(
    _ byte: UInt8, _ purpose: KeyPurpose, notBefore: Timestamp? = nil, notAfter: Timestamp? = nil,
    state: KeyState = .active
) throws -> LoadedKey {
    LoadedKey(
        KeyConfiguration(
            purpose: purpose, location: .file("/keys/\(byte).pem"), notBefore: notBefore, notAfter: notAfter,
            state: state),
        signer: try seedSigner(byte))
}

private struct SigningFailure: Error {}

/// A signer that does what a broken module would.
private final class FaultySigner: Ed25519Signer {
    enum Fault { case otherKey, flippedBit, changing, throwing }
    let publicKey: Ed25519PublicKey
    private let fault: Fault
    private let base: SeedSigner
    private let calls = Atomic<Int>(0)

    init(_ fault: Fault) throws {
        self.fault = fault
        base = try seedSigner(9)
        publicKey = fault == .otherKey ? try seedSigner(8).publicKey : base.publicKey
    }

    func sign(_ message: [UInt8]) throws -> Ed25519Signature {
        let call = calls.wrappingAdd(1, ordering: .relaxed).newValue
        let right = try base.sign(message)
        switch fault {
        case .otherKey: return right
        case .throwing: throw SigningFailure()
        case .flippedBit: break
        case .changing: if call == 1 { return right }
        }
        var bytes = right.bytes
        bytes[10] ^= 1
        return Ed25519Signature(bytes: bytes) ?? right
    }
}

@Suite struct KeyRingTests {
    @Test func givesEachPurposeItsKey() throws {
        let ring = try KeyRing([key(1, .token), key(2, .receipt), key(3, .envelope)], at: morning)
        for (purpose, byte) in [(KeyPurpose.token, UInt8(1)), (.receipt, 2), (.envelope, 3)] {
            let signer = try ring.signer(for: purpose, at: morning)
            #expect(signer.publicKey == (try seedSigner(byte).publicKey))
            #expect(try signer.publicKey.isValidSignature(signer.sign([1, 2]), for: [1, 2]))
        }
        try ring.selfTest()
    }

    @Test func refusesOneKeyTwice() throws {
        let across = try #require(
            keyError { try KeyRing([key(1, .token), key(1, .receipt), key(3, .envelope)], at: morning) })
        #expect(across.code == .duplicateKey)
        #expect(across.finding.contains("for token and for receipt"))
        let again = keyError {
            try KeyRing([key(1, .token), key(1, .token, state: .retired)], required: [.token], at: morning)
        }
        #expect(again?.code == .duplicateKey)
    }

    @Test func refusesWrongNumbersOfActiveKeys() throws {
        #expect(keyError { try KeyRing([key(1, .token)], at: morning) }?.code == .noActiveKey)
        #expect(keyError { try KeyRing.load([], at: morning) }?.code == .noActiveKey)
        _ = try KeyRing([], required: [], at: morning)
        let two = keyError { try KeyRing([key(1, .token), key(2, .token)], required: [.token], at: morning) }
        #expect(two?.code == .contradictoryConfiguration)
        // Said before any file is opened.
        let missing = ["/absent/a", "/absent/b"].map { KeyConfiguration(purpose: .token, location: .file($0)) }
        #expect(
            keyError { try KeyRing.load(missing, required: [.token], at: morning) }?.code == .contradictoryConfiguration
        )
        let empty = keyError {
            try KeyRing([key(1, .token, notBefore: noon, notAfter: noon)], required: [], at: morning)
        }
        #expect(empty?.code == .contradictoryConfiguration)
    }

    @Test func signsOnlyWithinThePeriod() throws {
        let keys = [try key(1, .token, notBefore: noon, notAfter: evening)]
        #expect(keyError { try KeyRing(keys, required: [.token], at: morning) }?.code == .notYetValid)
        #expect(keyError { try KeyRing(keys, required: [.token], at: evening) }?.code == .expired)
        let ring = try KeyRing(keys, required: [.token], at: noon)
        let early = try #require(keyError { try ring.signer(for: .token, at: noon.adding(seconds: -1)) })
        #expect(early.code == .notYetValid)
        #expect(early.isRetriable)
        _ = try ring.signer(for: .token, at: evening.adding(seconds: -1))
        #expect(keyError { try ring.signer(for: .token, at: evening) }?.code == .expired)
        #expect(ring.validUntil(for: .token) == evening)
        #expect(ring.validUntil(for: .receipt) == nil)
        #expect(keyError { try ring.signer(for: .receipt, at: noon) }?.code == .noActiveKey)
    }

    @Test func acceptsActiveAndVerifyOnlyKeys() throws {
        let ring = try KeyRing(
            [
                key(2, .token, state: .verifyOnly(notAfter: noon)), key(3, .token, state: .retired),
                key(1, .token, notAfter: evening),
                key(4, .token, notBefore: noon, state: .verifyOnly(notAfter: evening)),
                key(5, .token, notAfter: noon, state: .verifyOnly(notAfter: evening)), key(6, .receipt),
            ], required: [.token, .receipt], at: morning)
        func accepted(_ now: Timestamp) throws -> [UInt8] {
            try ring.acceptedKeys(for: .token, at: now).map { accepted in
                try #require(try (1...6).first { try seedSigner($0).publicKey.kid == accepted.kid })
            }
        }
        #expect(try accepted(morning) == [1, 2, 5])
        #expect(try accepted(noon) == [1, 4])
        #expect(try accepted(evening) == [])
        let keys = ring.acceptedKeys(for: .token, at: morning)
        #expect(keys.map(\.notAfter) == [evening, noon, noon])
        #expect(keys.map(\.isActive) == [true, false, false])
        #expect(ring.inventory().count == 6)
    }

    @Test func countsSignatures() throws {
        let ring = try KeyRing(
            [key(1, .token), key(2, .receipt), key(3, .token, state: .retired)], required: [], at: morning)
        let (token, receipt) = (try seedSigner(1).publicKey.kid, try seedSigner(2).publicKey.kid)
        #expect(ring.usage() == [token: 0, receipt: 0])
        for i in 0..<5 { _ = try ring.signer(for: .token, at: morning).sign([UInt8(i)]) }
        #expect(ring.usage() == [token: 5, receipt: 0])
        try ring.selfTest()
        #expect(ring.usage() == [token: 7, receipt: 2])
        #expect(ring.inventory().map(\.uses) == [7, 2, 0])
    }

    @Test func countsAcrossThreads() async throws {
        let ring = try KeyRing([key(1, .token)], required: [.token], at: morning)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<50 { _ = try ring.signer(for: .token, at: morning).sign([1]) } }
            }
            try await group.waitForAll()
        }
        #expect(ring.usage().values.first == 400)
    }

    @Test(arguments: [FaultySigner.Fault.otherKey, .flippedBit, .changing, .throwing])
    private func selfTestFindsFaults(_ fault: FaultySigner.Fault) throws {
        let configuration = KeyConfiguration(purpose: .token, location: .file("/keys/faulty.pem"))
        let ring = try KeyRing(
            [LoadedKey(configuration, signer: FaultySigner(fault))], required: [.token], at: morning)
        let error = try #require(keyError { try ring.selfTest() })
        #expect(error.code == .selfTestFailed)
        #expect(error.subject.contains("/keys/faulty.pem"))
    }

    @Test func everyErrorReadsAsOneLine() {
        for code in KeyError.Code.allCases {
            let error = KeyError(code, "/keys/a.pem", "it is wrong", remedy: "mend it")
            #expect(error.description == "/keys/a.pem: it is wrong; mend it")
            #expect(error.isRetriable == code.isRetriable)
        }
    }
}
