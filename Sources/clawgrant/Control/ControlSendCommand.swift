import ApprovalSources
import ArgumentParser
import ClawWire
import IssuanceRules

/// `clawgrant control send`.
struct ControlSendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Sign an event and send it over the control topic.",
        discussion: """
            Takes what the declaring commands print with --print, so that whoever holds the key need not be whoever writes \
            the event. Refused when workers with the configured rules would not obey it; where the rules cannot be read, when \
            they could not read it.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Argument(
        help: ArgumentHelp("A file with the event; - or nothing for standard input.", valueName: "file"),
        completion: .file())
    var path: String = "-"

    @Option(
        name: .customLong("sign-key"), help: ArgumentHelp("Sign with this Ed25519 key.", valueName: "file"),
        completion: .file())
    var signKey: String

    @Option(help: "Stay until: none, or published, when the answer can be read.")
    var wait: WaitLevel = .published

    @Option(help: ArgumentHelp("Stay no longer than this.", valueName: "seconds"))
    var timeout: Int64 = 30

    mutating func validate() throws {
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout is 1 second to a day") }
        guard wait != .converged else {
            throw ValidationError("over the topic only the answer can be seen: wait for published")
        }
    }

    mutating func run() async throws {
        let file = try source.load()
        let topic = try TopicDeclaration.topic(file)
        let now = Clock.now
        let event = try NativeEventSigner(KeyArguments.signer(signKey)).sign(try Self.event(path))
        let understood = try TopicDeclaration.reading(
            of: event.record(.structured, topic: topic), signedBy: signKey, file, at: now)
        let key = ControlEmitter.key(understood.operation, id: event.id)
        try await TopicDeclaration.send(
            event.record(.structured, topic: topic, key: key), eventID: understood.id.rawValue,
            handle: understood.handle, file, until: wait, atMost: timeout, isJSON: output.isJSON)
    }

    /// The event of a file, in structured mode.
    private static func event(_ path: String) throws -> CloudEvent {
        let record = SourceRecord(
            topic: "", headers: [.init("content-type", "application/cloudevents+json")],
            value: try InputFile.bytes(path, atMost: 1 << 20))
        do {
            return try CloudEvent(record: record, limits: .init())
        } catch {
            throw CommandFailure.usage("\(path) is no CloudEvent: \(error.detail)")
        }
    }
}
