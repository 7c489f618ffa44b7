public import ApprovalSources
public import ClawWire
import Foundation
import Keys

/// The keys and secrets of a playground, made anew for each in files of mode 0600.
public struct PlaygroundKeys: Sendable {
    /// Verifies tokens.
    public let token: Ed25519PublicKey
    /// Verifies batches and checkpoints.
    public let log: Ed25519PublicKey
    /// Signs single native events.
    public let eventSigner: NativeEventSigner
    /// Signs batches of native events.
    public let batchSigner: NativeEventSigner
    /// Signs capability requests.
    public let requestSigner: NativeEventSigner
    /// A key that no source lists.
    public let strangerSigner: NativeEventSigner
    /// Signs control events: may do everything.
    public let control: ControlEmitter
    /// Signs what is to stand on the control topic and is no well-formed event, with the key of ``control``.
    public let controlSigner: NativeEventSigner
    /// Signs control events: may stop, and nothing else.
    public let stopOnly: ControlEmitter
    /// Signs gateway receipts.
    public let gateway: any Ed25519Signer
    /// Signs WPC envelopes.
    public let policySigner: any Ed25519Signer
    /// Signs Security Event Tokens.
    public let signals: any Ed25519Signer
    /// The job's private key, to which tokens are sealed.
    public let job: SealingPrivateKey
    let eventSignerDID: String
    let batchSignerDID: String
    let requestSignerDID: String
    let controlDID: String
    let stopOnlyDID: String

    /// Makes everything under a directory's `keys` and `secrets`.
    init(in directory: String) throws {
        for folder in ["keys", "secrets"] {
            try FileManager.default.createDirectory(
                atPath: "\(directory)/\(folder)", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        }
        func make(_ name: String, _ purpose: KeyPurpose) throws -> Ed25519PublicKey {
            let key = try KeyGenerator.generate(purpose: purpose)
            try key.writePrivateKey(to: "\(directory)/keys/\(name).pem")
            return key.publicKey
        }
        token = try make("token", .token)
        log = try make("receipt", .receipt)
        _ = try make("envelope", .envelope)
        func signer(_ name: String) throws -> any Ed25519Signer {
            _ = try make(name, .envelope)
            let files: [(KeyPurpose, String)] = [(.token, "token"), (.receipt, "receipt"), (.envelope, name)]
            let ring = try KeyRing.load(
                files.map { KeyConfiguration(purpose: $0, location: .file("\(directory)/keys/\($1).pem")) },
                at: .playgroundNow)
            return try ring.signer(for: .envelope, at: .playgroundNow)
        }
        func secret(_ name: String) throws -> [UInt8] {
            let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
            let path = "\(directory)/secrets/\(name)"
            guard
                FileManager.default.createFile(
                    atPath: path, contents: Data(bytes), attributes: [.posixPermissions: 0o600])
            else { throw PlaygroundError("the secret \(path) could not be written") }
            return bytes
        }
        let event = try signer("approvals-event")
        let batch = try signer("approvals-batch")
        let request = try signer("requests")
        eventSigner = NativeEventSigner(event)
        batchSigner = NativeEventSigner(batch)
        requestSigner = NativeEventSigner(request)
        strangerSigner = NativeEventSigner(try signer("stranger"))
        let security = try signer("control")
        let desk = try signer("control-desk")
        controlSigner = NativeEventSigner(security)
        control = ControlEmitter(signer: security, source: PlaygroundCast.controlSource)
        stopOnly = ControlEmitter(signer: desk, source: PlaygroundCast.controlSource)
        controlDID = security.publicKey.did
        stopOnlyDID = desk.publicKey.did
        eventSignerDID = event.publicKey.did
        batchSignerDID = batch.publicKey.did
        requestSignerDID = request.publicKey.did
        policySigner = try signer("policies")
        gateway = try signer("gateway")
        signals = try signer("signals")
        _ = try secret("token-id")
        _ = try secret("sealing")
        guard let job = SealingPrivateKey(bytes: try secret("job")) else {
            throw PlaygroundError("the job's key could not be made")
        }
        self.job = job
    }
}

/// A failure of the playground itself.
public struct PlaygroundError: Error, Sendable, CustomStringConvertible {
    /// A sentence for people.
    public let description: String
    /// Makes an error.
    public init(_ description: String) { self.description = description }
}

extension Timestamp {
    /// The machine's clock: a playground stands outside of everything that must be told the time.
    public static var playgroundNow: Timestamp {
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
    }
}
