import ArgumentParser
import ClawWire
import GrantWorker
import Keys

/// `clawgrant keys jwks`.
struct KeysJWKSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jwks", abstract: "Print the public keys as a JSON Web Key Set (RFC 7517).",
        discussion: "With --contract, print the key rotation contract that gateways read beside it.")

    @OptionGroup var source: ConfigurationOptions

    @Option(help: "The keys of this purpose alone. (default: those for tokens and for Security Event Tokens)")
    var purpose: KeyPurpose?

    @Flag(name: .customLong("contract"), help: "Print the rotation contract instead of the keys.")
    var isContract = false

    @Flag(name: .customLong("json"), help: "Accepted for consistency: the output is always JSON.")
    var isJSON = false

    func validate() throws {
        guard !isContract || purpose != .set else {
            throw ValidationError(
                "There is no rotation contract for keys of purpose set; print them without --contract.")
        }
    }

    mutating func run() async throws {
        let now = Clock.now
        let (chosen, purpose) = (purpose, purpose ?? .token)
        let ring = try KeyRing.load(try source.load().worker.keys, required: [purpose], at: now)
        let signals = chosen == nil || chosen == .set ? ring.acceptedSignalKeys(at: now) : []
        let accepted = ring.acceptedKeys(for: purpose, at: now)
        let keys = AcceptedKeys(
            signing: accepted.filter(\.isActive).map(\.publicKey),
            verifyOnly: accepted.filter { !$0.isActive }.map { key in
                // A document's bound is the last second that counts; the ring's is the first that does not.
                (key.publicKey, key.notAfter.map { $0.adding(seconds: -1).seconds })
            })
        guard isContract else {
            Console.out(JWKS.document(keys, signals: signals, now: now))
            return
        }
        // As long as a token may live, whether or not a key is being replaced (WIRE section 5).
        guard let roster = KeyRoster(keys, overlapSeconds: 3_600, now: now) else {
            throw CommandFailure.negative("there is no active \(purpose) key; docs/keys.md tells how to make one")
        }
        Console.out(RotationContract(roster: roster).json)
    }
}
