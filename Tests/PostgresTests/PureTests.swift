import Testing

@testable import Postgres

struct UUIDAndTimestampTests {
    @Test func identifiersReadWhatTheyWrite() throws {
        let text = "00112233-4455-6677-8899-aabbccddeeff"
        let identifier = try #require(PostgresUUID(text))
        #expect(identifier.description == text)
        #expect(PostgresUUID("00112233445566778899AABBCCDDEEFF") == identifier)
        #expect(PostgresUUID(bytes: identifier.bytes) == identifier)
        #expect(PostgresUUID(bytes: identifier.bytes.dropLast()) == nil)
    }

    @Test(arguments: [
        "", "0011", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeefg",
        "0-0112233-4455-6677-8899aabbccddeeff", "00112233445566778899aabbccddeeff00",
    ])
    func otherTextsAreNoIdentifiers(text: String) { #expect(PostgresUUID(text) == nil) }

    @Test func timesConvertAndSaturate() {
        #expect(PostgresTimestamp(unixMilliseconds: 946_684_800_000).microseconds == 0)
        #expect(PostgresTimestamp(unixMicroseconds: -1).unixMilliseconds == -1)
        #expect(PostgresTimestamp(unixMicroseconds: -1).unixMicroseconds == -1)
        #expect(PostgresTimestamp(unixMilliseconds: .max) > PostgresTimestamp(unixMicroseconds: .max))
        #expect(PostgresTimestamp(unixMilliseconds: .min) < PostgresTimestamp(unixMilliseconds: 0))
        #expect(PostgresTimestamp(microseconds: .max).unixMicroseconds == .max)
        for milliseconds in [0, 1, -1, 1_760_000_000_123, -62_135_596_800_000] as [Int64] {
            #expect(PostgresTimestamp(unixMilliseconds: milliseconds).unixMilliseconds == milliseconds)
        }
    }
}

struct ParameterTests {
    @Test func anArrayHasTheFormOfArrayReceive() {
        var parameters = Parameters()
        parameters.append(array: [1, nil] as [Int16?])
        #expect(
            parameters.arena == [
                0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 21, 0, 0, 0, 2, 0, 0, 0, 1,
                0, 0, 0, 2, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF,
            ])
        #expect(parameters.types == [.int2Array])
        parameters.append(array: [] as [String])
        #expect(parameters.arena.suffix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25])
        #expect(parameters.count == 2)
    }

    @Test func arraysOfBrokenShapeAreRefused() {
        func read(_ bytes: [UInt8]) -> Bool { PostgresArrayReader.read(bytes.span) { _, _ in true } }
        var parameters = Parameters()
        parameters.append(array: ["a", "bc"])
        let whole = parameters.arena
        #expect(read(whole))
        for length in 0..<whole.count { #expect(!read(Array(whole.prefix(length)))) }
        #expect(!read(whole + [0]))
        for position in whole.indices where position < 4 || (12..<16).contains(position) || position >= 20 {
            var changed = whole
            changed[position] ^= 0x80
            _ = read(changed)
        }
        var twoDimensions = whole
        twoDimensions[3] = 2
        #expect(!read(twoDimensions))
    }

    @Test func textTypesAreInterchangeable() {
        #expect(PostgresType.text.isAccepted(as: .varchar))
        #expect(PostgresType.textArray.isAccepted(as: .varcharArray))
        #expect(!PostgresType.text.isAccepted(as: .jsonb))
        #expect(!PostgresType.int4.isAccepted(as: .int8))
        #expect(PostgresType.uuidArray.description == "uuid[]")
        #expect(PostgresType(rawValue: 99_999).description == "oid 99999")
    }
}

struct PipelineProgressTests {
    private let statement = PreparedStatement("one", "SELECT 1")
    private let refusal = PostgresError(.server, "no", sqlState: .uniqueViolation)

    @Test func aFailureSkipsTheRestAndIsNamed() {
        var progress = PipelineProgress([
            .control("BEGIN"), .step(.execute(statement)), .step(.command("SET LOCAL x = 1")), .control("COMMIT"),
        ])
        #expect(progress.receive(.failure(refusal)) == .more)
        #expect(progress.receive(.endMark) == .more)
        for _ in 0..<3 {
            #expect(progress.receive(.skipped) == .more)
            #expect(progress.receive(.endMark) == .more)
        }
        #expect(progress.receive(.synchronized) == .complete)
        #expect(progress.failure?.statementName == "BEGIN")
        #expect(!progress.isCommitted)
    }

    @Test func aFailureAtTheSyncIsTheCommits() {
        var progress = PipelineProgress([])
        #expect(progress.receive(.failure(refusal)) == .more)
        #expect(progress.receive(.endMark) == .more)
        #expect(progress.receive(.synchronized) == .complete)
        #expect(progress.failure?.statementName == "COMMIT")
    }

    @Test func repliesOutOfPlaceAreViolations() {
        func verdict(_ replies: [PipelineProgress.Reply]) -> PipelineProgress.Verdict? {
            var progress = PipelineProgress([.step(.execute(statement))])
            return replies.map { progress.receive($0) }.last
        }
        #expect(verdict([.synchronized]) == .violation("the pipeline ended before its last request"))
        #expect(verdict([.endMark]) == .violation("an end mark without a reply"))
        #expect(verdict([.skipped]) == .violation("a request was skipped"))
        #expect(verdict([.failure(refusal), .skipped]) == .violation("a second reply to one request"))
    }
}

struct CancellerTests {
    private let start = ContinuousClock.now

    @Test func nothingIsSentUnlessAsked() {
        var canceller = Canceller(grace: .seconds(5), replyTimeout: nil)
        #expect(canceller.step(now: start, request: nil, isInFlight: false, isComplete: false) == .wait)
        #expect(canceller.nextInstant(listener: nil) == nil)
        #expect(canceller.nextInstant(listener: start) == start)
    }

    @Test func aRequestIsRepeatedUntilTheGraceIsOver() {
        var canceller = Canceller(grace: .seconds(1), replyTimeout: nil)
        #expect(canceller.step(now: start, request: .requested, isInFlight: false, isComplete: false) == .send)
        let soon = start.advanced(by: .milliseconds(100))
        #expect(canceller.step(now: soon, request: .requested, isInFlight: false, isComplete: false) == .wait)
        let later = start.advanced(by: .milliseconds(300))
        #expect(canceller.step(now: later, request: .requested, isInFlight: true, isComplete: false) == .wait)
        let latest = start.advanced(by: .milliseconds(600))
        #expect(canceller.step(now: latest, request: .requested, isInFlight: false, isComplete: false) == .send)
        let over = start.advanced(by: .seconds(1))
        #expect(canceller.step(now: over, request: .requested, isInFlight: false, isComplete: false) == .giveUp)
        #expect(canceller.reason == .requested)
    }

    @Test func aLateReplyIsARequest() {
        var canceller = Canceller(grace: .seconds(1), replyTimeout: .seconds(2))
        #expect(canceller.step(now: start, request: nil, isInFlight: false, isComplete: false) == .wait)
        let late = start.advanced(by: .seconds(2))
        #expect(canceller.nextInstant(listener: nil) == late)
        #expect(canceller.step(now: late, request: nil, isInFlight: false, isComplete: false) == .send)
        #expect(canceller.reason == .replyTimeout)
    }

    @Test func nothingIsSentAfterTheEnd() {
        var canceller = Canceller(grace: .seconds(1), replyTimeout: nil)
        #expect(canceller.step(now: start, request: .requested, isInFlight: false, isComplete: false) == .send)
        let later = start.advanced(by: .milliseconds(300))
        #expect(canceller.step(now: later, request: .requested, isInFlight: false, isComplete: true) == .wait)
    }
}

struct BackoffTests {
    @Test func delaysDoubleUpToTheLimit() {
        let backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(1))
        let delays = (1...6).map { backoff.delay(afterFailures: $0, jitter: 0).milliseconds }
        #expect(delays == [100, 200, 400, 800, 1_000, 1_000])
        #expect(backoff.delay(afterFailures: 1, jitter: 1) == .milliseconds(50))
        #expect(backoff.delay(afterFailures: .max, jitter: 0) == .seconds(1))
    }
}

struct PoolMachineTests {
    private typealias Machine = PoolMachine<Int>

    private func acquire(_ machine: inout Machine, _ waiter: Machine.WaiterID) -> String {
        var closed: [Int] = []
        return switch machine.acquire(waiter, closed: &closed, isUsable: { $0 > 0 }) {
        case .take(_, let member): "take \(member)"
        case .wait(let attempts): "wait \(attempts)"
        case .refuse: "refuse"
        }
    }

    @Test func attemptsNeverExceedTheRoom() {
        var machine = Machine(capacity: 2)
        var random = SystemRandomNumberGenerator()
        var leased: [Machine.MemberID] = []
        var attempts = 0
        for _ in 0..<5_000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                var closed: [Int] = []
                switch machine.acquire(machine.makeWaiterID(), closed: &closed, isUsable: { _ in true }) {
                case .take(let id, _): leased.append(id)
                case .wait(let count): attempts += count
                case .refuse: Issue.record("refused")
                }
            case 1 where attempts > 0:
                attempts -= 1
                let id = machine.makeMemberID()
                let (placement, more) = machine.connected(id, 1)
                if case .hand = placement { leased.append(id) }
                attempts += more
            case 2 where !leased.isEmpty:
                let id = leased.removeFirst()
                switch machine.release(id, isUsable: Bool.random(using: &random)) {
                case .hand: leased.append(id)
                case .keep: break
                case .close(let count): attempts += count
                }
            case 3 where attempts > 0:
                if case .stop = machine.connectFailed(isRetriable: Bool.random(using: &random)) { attempts -= 1 }
            default: break
            }
            #expect(machine.openCount + machine.connectingCount <= 2)
            #expect(machine.connectingCount == attempts)
            #expect(machine.waiterCount == 0 || machine.openCount + attempts > 0)
        }
    }

    @Test func whileTheServerIsAwayOneAttemptRuns() {
        var machine = Machine(capacity: 4)
        #expect(acquire(&machine, machine.makeWaiterID()) == "wait 1")
        guard case .retry(let failures) = machine.connectFailed(isRetriable: true) else {
            Issue.record("stopped")
            return
        }
        #expect(failures == 1)
        #expect(acquire(&machine, machine.makeWaiterID()) == "wait 0")
        let goesOn = machine.shouldRetry()
        #expect(goesOn)
        let (_, attempts) = machine.connected(machine.makeMemberID(), 1)
        #expect(attempts == 1)
    }

    @Test func aWaiterThatWasCancelledFirstIsRefused() {
        var machine = Machine(capacity: 1)
        let waiter = machine.makeWaiterID()
        let wasWaiting = machine.abandon(waiter)
        #expect(!wasWaiting)
        machine.abandonEarly(waiter)
        #expect(acquire(&machine, waiter) == "refuse")
    }
}

struct ErrorTests {
    @Test func stateIsFoundInLibpqsText() {
        let error = ConnectFailure.error(
            message: """
                connection to server on socket "/run/.s.PGSQL.5432" failed: FATAL:  57P03: the database system is starting up
                LOCATION:  ProcessStartupPacket, postmaster.c:2402

                """, needsPassword: false)
        #expect(error.sqlState == .cannotConnectNow)
        #expect(error.isRetriable)
        #expect(!error.message.contains("LOCATION"))
        #expect(ConnectFailure.sqlState(in: "no code here:  abcde: x") == nil)
    }

    @Test(arguments: ["40001", "40P01", "55P03", "57P01", "57P03", "53300", "08006"])
    func someStatesAreRetriable(code: String) {
        #expect(PostgresError(.server, "", sqlState: SQLState(rawValue: code)).isRetriable)
    }

    @Test(arguments: ["23505", "42P01", "25P02", "57014", "22021"])
    func othersAreNot(code: String) {
        #expect(!PostgresError(.server, "", sqlState: SQLState(rawValue: code)).isRetriable)
    }

    @Test func onlyFiveCapitalsOrDigitsAreAState() {
        #expect(SQLState(rawValue: "4000") == nil)
        #expect(SQLState(rawValue: "40p01") == nil)
        #expect(SQLState(rawValue: "40P01") == .deadlockDetected)
    }
}

struct ConfigurationTests {
    @Test func secretsAreNotPrinted() throws {
        let configuration = try PostgresConfiguration(
            uri: "postgresql://worker:open%20sesame@db.example:5433/ledger?sslmode=verify-full&sslpassword=hunter")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped, "\(configuration.keywords)"] {
            #expect(!text.contains("sesame"))
            #expect(!text.contains("hunter"))
        }
        #expect(configuration.description.contains("password=<secret>"))
        #expect(configuration.isServerVerified)
        let sent = Dictionary(uniqueKeysWithValues: configuration.connectionKeywords())
        #expect(sent["password"] == "open sesame")
        #expect(sent["port"] == "5433")
        #expect(sent["keepalives_idle"] == "10")
    }

    @Test func malformedConnectionStringsAreRefusedUnquoted() {
        let error = #expect(throws: PostgresError.self) {
            try PostgresConfiguration(uri: "postgresql://worker:open%ZZsesame@db.example")
        }
        #expect(error?.kind == .configuration)
        #expect(error.map { "\($0)".contains("sesame") } == false)
        #expect(throws: PostgresError.self) { try PostgresConfiguration(keywords: ["hots": "db.example"]) }
    }

    @Test func limitsBecomeOptions() throws {
        var configuration = try PostgresConfiguration(keywords: ["host": "db.example", "options": "-c a=b"])
        configuration.statementTimeout = .seconds(2)
        configuration.lockTimeout = .microseconds(1)
        configuration.settings["search_path"] = #"a b\"#
        let options = Dictionary(uniqueKeysWithValues: configuration.connectionKeywords())["options"]
        #expect(options == #"-c a=b -c lock_timeout=1 -c search_path=a\ b\\ -c statement_timeout=2000"#)
        #expect(!configuration.isServerVerified)
    }
}
