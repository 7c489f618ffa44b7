import DevStack
import Foundation
import Playground

/// Carries faults out, and ends each of them whatever happens.
struct FaultRunner: Sendable {
    let arena: Arena

    /// Lets something go wrong at its time, for its time.
    func run(_ fault: PlannedFault, from start: ContinuousClock.Instant) async throws {
        try await Task.sleep(until: start + .milliseconds(fault.at))
        arena.journal.write("begins: \(fault.kind.rawValue) for \(fault.lasting) ms")
        try await carryOut(fault)
        arena.journal.write("ended: \(fault.kind.rawValue)")
        arena.tally.count { $0.faults[fault.kind, default: 0] += 1 }
    }

    private func carryOut(_ fault: PlannedFault) async throws {
        let database = arena.databaseRelay
        let broker = arena.brokerRelay
        switch fault.kind {
        case .databaseRestart: try await restartDatabase(after: fault.lasting)
        case .databaseCut: try await again(and: fault) { _ in database.inject(.cutConnections) }
        case .databaseUnreachable: try await inject([.refuseConnections, .cutConnections], into: database, fault)
        case .databaseSilence: try await inject([.blackHole], into: database, fault)
        case .databaseLostReplies: try await inject([.dropReplies], into: database, fault)
        case .databaseTruncation: try await again(and: fault) { database.inject(Self.truncation($0)) }
        case .databaseDelay: try await inject([Self.delay(fault.choice)], into: database, fault)
        case .databaseDisk: try await fillDatabaseDisk(for: fault.lasting)
        case .brokerRestart: try await restartBroker(after: fault.lasting)
        case .brokerFreeze: try await freezeBroker(for: fault.lasting)
        case .brokerCut: try await again(and: fault) { _ in broker.inject(.cutConnections) }
        case .brokerUnreachable: try await inject([.refuseConnections, .cutConnections], into: broker, fault)
        case .brokerSilence: try await inject([.blackHole], into: broker, fault)
        case .brokerLostReplies: try await inject([.dropReplies], into: broker, fault)
        case .brokerTruncation: try await again(and: fault) { broker.inject(Self.truncation($0)) }
        case .brokerDelay: try await inject([Self.delay(fault.choice)], into: broker, fault)
        case .logDisk: try await fillLogDisk(for: fault.lasting)
        case .keyGone, .keyTorn, .keyExposed: try await spoilKey(fault)
        case .stop:
            let stop = try await arena.load.stop(fault.choice)
            try await Task.sleep(for: .milliseconds(fault.lasting))
            try await arena.load.lift(stop)
        case .revocation: try await arena.load.revoke(fault.choice)
        }
    }

    // MARK: Network

    private static func truncation(_ dice: Dice) -> RelayFault {
        var dice = dice
        return dice.chance(50)
            ? .truncate(afterBytes: dice.roll(1...20_000), .toServer)
            : .truncate(afterBytes: dice.roll(1...20_000), .toClient)
    }

    private static func delay(_ choice: UInt64) -> RelayFault {
        var dice = Dice(seed: choice)
        return .delay(toServer: .milliseconds(dice.roll(2...60)), toClient: .milliseconds(dice.roll(2...60)))
    }

    private func inject(_ faults: [RelayFault], into relay: some FaultRelay, _ fault: PlannedFault) async throws {
        for fault in faults { relay.inject(fault) }
        do {
            try await Task.sleep(for: .milliseconds(fault.lasting))
        } catch {
            try heal(fault)
            throw error
        }
        try heal(fault)
    }

    /// Does something now and every 300 milliseconds while the fault lasts.
    private func again(and fault: PlannedFault, _ body: (Dice) -> Void) async throws {
        let end = ContinuousClock.now + .milliseconds(fault.lasting)
        var round: UInt64 = 0
        while ContinuousClock.now < end {
            body(Dice(seed: fault.choice, round))
            round += 1
            try await Task.sleep(for: .milliseconds(300))
        }
        try heal(fault)
    }

    private func heal(_ fault: PlannedFault) throws {
        switch fault.kind.target {
        case .database: try arena.databaseRelay.heal()
        case .broker: try arena.healBroker()
        case .logDisk, .keys, .control: break
        }
    }

    // MARK: Servers

    private func restartDatabase(after pause: Int) async throws {
        try await arena.playground.postgres.stop(.immediate)
        try? await Task.sleep(for: .milliseconds(pause))
        try await arena.playground.postgres.start()
        arena.tally.count { $0.databaseRestarts += 1 }
    }

    /// The stand-in writes its log out when it is asked to stop, and goes on acknowledging meanwhile; what it acknowledges
    /// then may be lost. So nobody reaches it any more when it is asked. What was under way is cut off in the middle.
    private func restartBroker(after pause: Int) async throws {
        defer { arena.load.sender.open() }
        arena.brokerRelay.inject(.refuseConnections)
        arena.brokerRelay.inject(.cutConnections)
        try await arena.load.sender.shut()
        try await arena.playground.broker.stop()
        try? await Task.sleep(for: .milliseconds(pause))
        try await arena.playground.broker.start()
        try arena.healBroker()
        arena.tally.count { $0.brokerRestarts += 1 }
    }

    private func freezeBroker(for milliseconds: Int) async throws {
        arena.playground.broker.signal(.stop)
        try? await Task.sleep(for: .milliseconds(milliseconds))
        arena.playground.broker.signal(.resume)
    }

    // MARK: Disks

    /// Takes what is free again and again, so that what the server gives back does not help it.
    private func fill(_ disk: SmallDisk, for milliseconds: Int) async throws {
        defer { disk.free() }
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while ContinuousClock.now < end {
            try disk.fill()
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func fillDatabaseDisk(for milliseconds: Int) async throws {
        guard let disk = arena.databaseDisk else { return }
        try await fill(disk, for: milliseconds)
        // A server that could not even write its log has left; whoever manages it starts it again.
        guard !arena.playground.postgres.isRunning else { return }
        arena.journal.write("PostgreSQL had left over its full disk")
        try await restartDatabase(after: 0)
    }

    private func fillLogDisk(for milliseconds: Int) async throws {
        guard let disk = arena.logDisk else { return }
        try await fill(disk, for: milliseconds)
    }

    // MARK: Keys

    private func spoilKey(_ fault: PlannedFault) async throws {
        var dice = Dice(seed: fault.choice)
        let paths = arena.keyFiles.keys.sorted()
        let path = paths[dice.roll(0...(paths.count - 1))]
        guard let whole = arena.keyFiles[path] else { return }
        let files = FileManager.default
        switch fault.kind {
        case .keyGone: try files.removeItem(atPath: path)
        case .keyTorn: try write(whole.prefix(whole.count / 2), to: path, mode: 0o600)
        default: try files.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        }
        arena.journal.write("\(fault.kind.rawValue): \(path)")
        try? await Task.sleep(for: .milliseconds(fault.lasting))
        try write(whole, to: path, mode: 0o600)
    }

    private func write(_ data: Data, to path: String, mode: Int) throws {
        try? FileManager.default.removeItem(atPath: path)
        guard
            FileManager.default.createFile(
                atPath: path, contents: data, attributes: [.posixPermissions: mode])
        else { throw DevStackError(.systemCall, "\(path) could not be written.") }
    }
}
