import ClawWire
import GrantLedger
import GrantWorker
import Kafka
import Logging
import Observability
import Primitives
import SecurityEvents
import Testing

@testable import clawgrant

@Suite("What commands print")
struct OutputTests {
    static let token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJl"

    @Test("Tokens are taken out of text, whatever stands around them")
    func masking() {
        #expect(TokenMask.masked(Self.token) == "(token)")
        #expect(TokenMask.masked("a \(Self.token), b") == "a (token), b")
        #expect(TokenMask.masked("Bearer=\(Self.token)") == "Bearer=(token)")
        #expect(TokenMask.masked("prefix-\(Self.token).x.y") == "prefix-(token)")
        #expect(TokenMask.masked("\(Self.token) \(Self.token)") == "(token) (token)")
    }

    @Test(
        "Text without a token stays as it is",
        arguments: [
            "", "eyJ", "eyJhbGciOiJFZERTQSJ9", "GIDqteKPwe8t06-5d1iADSBzBAIhP_VwEKtRsm_V_g8", "a.b.c", "äöü — eyJ.a.b",
            "claw.approvals.decisions.v1/7/0",
        ])
    func untouched(_ text: String) { #expect(TokenMask.masked(text) == text) }

    private func logged(_ format: LogSettings.Format, _ level: Logger.Level = .info, _ body: (Logger) -> Void)
        -> [String]
    {
        let lines = Lock<[String]>([])
        var settings = LogSettings()
        settings.format = format
        settings.level = level
        body(
            Logger(label: "test") { _ in
                LineLogHandler(settings) { line in lines.withLock { $0.append(line) } }
            })
        return lines.withLock { $0 }
    }

    @Test("A text line has time, level, message and fields, and stays one line")
    func textLines() throws {
        let lines = logged(.text) { logger in
            logger.warning("it\nfailed", metadata: ["reason": "two words", "token": "\(Self.token)", "count": "3"])
            logger.debug("not shown")
        }
        let line = try #require(lines.first)
        #expect(lines.count == 1)
        #expect(line.hasSuffix("Z WARNING  it\\u{a}failed event=library count=3 reason=\"two words\" token=(token)"))
    }

    @Test("A line of the catalogue bears its name, and its fields are no place for secrets or for other lines")
    func namedLines() throws {
        let secret = SecretText("hunter2")
        let fields: Logger.Metadata = [
            "control_event": .outside("a\n2026-11-23T00:00:00Z CRITICAL forged event=worker.left \u{1B}[2J\u{202E}"),
            "secret": "\(secret)", "password": "\(KafkaSecret("hunter2"))", "token": "\(Self.token)",
            "long": "\(String(repeating: "x", count: 10_000))", "bad key\n": "1",
        ]
        for format in LogSettings.Format.allCases {
            let lines = logged(format) { $0.log(.tokensRevoked, metadata: fields) }
            let line = try #require(lines.first)
            #expect(lines.count == 1)
            #expect(!line.contains("hunter2") && !line.contains(Self.token))
            #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E })
            #expect(line.utf8.count < 5_500)
            switch format {
            case .text:
                // Within the quotes of a value anything may stand.
                let bare = line.replacing(/"(?:[^"\\]|\\.)*"/, with: "\"\"")
                #expect(bare.contains(" event=control.tokens_revoked ") && !bare.contains(" event=worker.left "))
            case .json:
                let object = try #require(try JSONReader.parse(line).object)
                #expect(Array(object.keys.prefix(4)) == ["time", "level", "event", "message"])
                #expect(object["event"]?.string == "control.tokens_revoked")
                #expect(object["level"]?.string == "notice")
                #expect(object["secret"]?.string == "(secret)")
            }
        }
    }

    @Test("A JSON line is one object with stable members")
    func jsonLines() throws {
        let lines = logged(.json, .debug) { logger in
            var logger = logger
            logger[metadataKey: "worker"] = "worker-a"
            logger.debug("a \"message\"", metadata: ["level": "high", "detail": "\(Self.token)"])
        }
        let line = try #require(lines.first)
        let object = try #require(try JSONReader.parse(line).object)
        #expect(object.keys == ["time", "level", "event", "message", "detail", "level_", "worker"])
        #expect(object["level"]?.string == "debug")
        #expect(object["detail"]?.string == "(token)")
        #expect(object["worker"]?.string == "worker-a")
    }

    @Test("Control characters from outside cannot drive a terminal")
    func controlCharacters() {
        #expect(Console.plain("a\u{1B}[31mb\u{202E}c") == "a\\u{1b}[31mb\\u{202e}c")
        #expect(Console.plain("Grüße, 世界") == "Grüße, 世界")
    }

    @Test("Columns of a table line up")
    func tables() {
        #expect(Console.table([["a", "long", "x"], ["bbb", "c", "yy"]]) == ["a    long  x", "bbb  c     yy"])
    }

    @Test("A token in the clear is never shown from a grant, in either form")
    func plainGrants() throws {
        let record = ConsumedRecord(
            topicPartition: TopicPartition(topic: "claw.grants.v1", partition: 0), offset: 3, timestamp: 0,
            key: Array("job-1".utf8),
            value: Array(
                #"{"delivery":{"mode":"plain","token":"\#(Self.token)"},"job_id":"job-1","request_id":"req-1"}"#.utf8),
            headers: [KafkaHeader(name: "claw_seq", value: Array("7".utf8))])
        let view = RecordView(record, .grants)
        #expect(!view.line.contains("eyJ"))
        #expect(!JSONWriter.text(view.json).contains("eyJ"))
        #expect(view.json["seq"]?.integer == 7)
        #expect(view.json["record"]?["delivery"]?["mode"]?.string == "plain")
        #expect(view.line.contains("req-1"))
    }

    @Test("A grant's JWE is found in a record, in a line of tail, and alone")
    func sealedGrants() throws {
        let record = #"{"delivery":{"jwe":"a..b.c.d","mode":"sealed"},"request_id":"req-1"}"#
        #expect(try TokenOpenCommand.sealed(record).jwe == "a..b.c.d")
        #expect(try TokenOpenCommand.sealed("{\"stream\":\"grants\",\"record\":\(record)}").jwe == "a..b.c.d")
        #expect(try TokenOpenCommand.sealed("a..b.c.d").record == nil)
        #expect(throws: CommandFailure.self) { try TokenOpenCommand.sealed(#"{"delivery":{"mode":"reference"}}"#) }
        #expect(throws: CommandFailure.self) { try TokenOpenCommand.sealed("{}") }
    }
}
