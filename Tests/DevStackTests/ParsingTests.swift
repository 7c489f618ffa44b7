import Testing

@testable import DevStack

@Suite struct ParsingTests {
    @Test func processTimesCountFieldsFromTheLastBracket() throws {
        let line = "42 (odd) name (x)) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 99"
        let times = try #require(ProcessTimes(pid: 42, line: line, ticksPerSecond: 100))
        #expect(times.parent == 7)
        #expect(times.own == .seconds(2))
        #expect(times.waitedFor == .milliseconds(500))
    }

    @Test(arguments: ["", "42", "42 (x)", "42 (x) S a b", "42 (x) S 1 2 3 4 5 6 7 8 9 10 a b c d"])
    func processTimesRefuseWhatIsNotAStatLine(line: String) {
        #expect(ProcessTimes(pid: 42, line: line, ticksPerSecond: 100) == nil)
    }

    @Test func portsComeFromBelowTheKernelsOwnRange() {
        #expect(FreePort.candidateRange(ephemeralFloor: 32_768) == 16_384...32_767)
        #expect(FreePort.candidateRange(ephemeralFloor: 1_024) == 20_000...60_000)
    }

    @Test func freePortsDiffer() throws {
        let ports = try (0..<20).map { _ in try FreePort.next() }
        #expect(Set(ports).count == 20)
        for port in ports { _ = try Socket.listening(port: port) }
    }

    @Test func takenPortIsReported() throws {
        let first = try Socket.listening(port: FreePort.next())
        #expect {
            try Socket.listening(port: first.localPort)
        } throws: { error in
            (error as? DevStackError)?.code == .portUnavailable
        }
    }

    @Test func connectionKeywordsAreQuoted() {
        #expect(PrivatePostgres.quoted(#"it's a \ path"#) == #"'it\'s a \\ path'"#)
        #expect(PrivatePostgres.identifier(#"a"b"#) == #""a""b""#)
    }

    @Test func waitStatusIsTakenApart() {
        #expect(ProcessExit(waitStatus: 0) == .code(0))
        #expect(ProcessExit(waitStatus: 0x0300) == .code(3))
        #expect(ProcessExit(waitStatus: 9) == .signal(9))
        // The bit for a core dump does not change the signal.
        #expect(ProcessExit(waitStatus: 0x80 | 11) == .signal(11))
    }

    @Test func handshakeIsJudgedByItsCorrelationAndError() {
        let good: [UInt8] = [0, 0, 0, 16] + KafkaHandshake.request[8..<12] + [0, 0, 0, 0]
        #expect(KafkaHandshake.accepts(good) == true)
        #expect(KafkaHandshake.accepts(Array(good.prefix(9))) == nil)
        var failed = good
        failed[9] = 35
        #expect(KafkaHandshake.accepts(failed) == false)
        var foreign = good
        foreign[4] = 0
        #expect(KafkaHandshake.accepts(foreign) == false)
    }
}
