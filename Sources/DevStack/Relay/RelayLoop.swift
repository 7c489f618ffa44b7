import CLinux
import Dispatch
import Glibc
import Primitives

/// What a relay's owner and its thread share.
final class RelayMailbox: Sendable {
    enum Order: Sendable {
        case inject(RelayFault)
        case heal
        case close
    }

    struct Letter: Sendable {
        let order: Order
        let isDone = DispatchSemaphore(value: 0)
        let failure = Lock<DevStackError?>(nil)
    }

    let counters = Lock(RelayCounters())
    let alarm: Socket
    private let letters = Lock<(waiting: [Letter], isClosed: Bool)>(([], false))

    init() throws(DevStackError) {
        let descriptor = clinux_wake_descriptor()
        guard descriptor >= 0 else { throw .systemCall("eventfd", on: "a relay") }
        alarm = Socket(owning: descriptor)
    }

    /// Hands an order to the thread and waits until it is carried out; the thread never blocks, so that is at once.
    func post(_ order: Order) -> DevStackError? {
        let letter = Letter(order: order)
        guard enqueue(letter) else { return nil }
        letter.isDone.wait()
        return letter.failure.withLock { $0 }
    }

    /// Hands an order to the thread and leaves.
    func drop(_ order: Order) { _ = enqueue(Letter(order: order)) }

    func takeAll() -> [Letter] {
        var count: UInt64 = 0
        _ = unsafe read(alarm.descriptor, &count, 8)
        return letters.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    /// Ends the post: what still waits is returned, and nothing more is taken.
    func shut() -> [Letter] {
        letters.withLock { state in
            defer { state = ([], true) }
            return state.waiting
        }
    }

    private func enqueue(_ letter: Letter) -> Bool {
        let isTaken = letters.withLock { state in
            if !state.isClosed { state.waiting.append(letter) }
            return !state.isClosed
        }
        var one: UInt64 = 1
        if isTaken { _ = unsafe write(alarm.descriptor, &one, 8) }
        return isTaken
    }
}

/// The relay's thread: one `poll` loop that owns every connection, so no two of its decisions can race.
final class RelayLoop {
    /// Enough for any test; beyond it new clients wait in the kernel's queue.
    private static let mostConnections = 512

    private let mailbox: RelayMailbox
    private let port: UInt16
    private let targetPort: UInt16
    private let manners: RelayManners
    private var listener: Socket?
    private var connections: [RelayConnection] = []
    private var faults = RelayFaultState()
    private var scratch = [UInt8](repeating: 0, count: 128 * 1024)
    private var isClosed = false

    init(mailbox: RelayMailbox, listener: Socket?, port: UInt16, targetPort: UInt16, manners: RelayManners) {
        self.mailbox = mailbox
        self.listener = listener
        self.port = port
        self.targetPort = targetPort
        self.manners = manners
    }

    func run() {
        while !isClosed {
            for letter in mailbox.takeAll() {
                carryOut(letter)
                letter.isDone.signal()
            }
            guard !isClosed else { break }
            turn()
            connections.removeAll { connection in
                if !connection.isClosed, connection.isDone { end(connection) }
                return connection.isClosed
            }
            let open = connections.count
            mailbox.counters.withLock { $0.open = open }
        }
        for letter in mailbox.shut() { letter.isDone.signal() }
    }

    private func carryOut(_ letter: RelayMailbox.Letter) {
        switch letter.order {
        case .inject(let fault):
            faults.add(fault)
            if fault == .cutConnections { resetConnections { _ in true } }
            if faults.refusesConnections { listener = nil }
        case .heal:
            faults = RelayFaultState()
            resetConnections { $0.hasLostBytes }
            guard listener == nil else { break }
            do throws(DevStackError) {
                listener = try Socket.listening(port: port)
            } catch {
                letter.failure.withLock { $0 = error }
            }
        case .close:
            resetConnections { _ in true }
            listener = nil
            isClosed = true
        }
        let open = connections.count
        mailbox.counters.withLock { $0.open = open }
    }

    private func resetConnections(where isMeant: (RelayConnection) -> Bool) {
        for connection in connections where isMeant(connection) { reset(connection) }
        connections.removeAll { $0.isClosed }
    }

    private func reset(_ connection: RelayConnection) {
        connection.client.resetOnClose()
        connection.server?.resetOnClose()
        connection.isClosed = true
    }

    /// Closes a connection so that what was delivered to either side can still be read there.
    private func end(_ connection: RelayConnection) {
        // Closing over unread bytes would make the kernel send a reset, which overtakes what is still on its way.
        for socket in [connection.client, connection.server].compactMap({ $0 }) {
            while case .moved = socket.receive(into: &scratch) {}
        }
        connection.isClosed = true
    }

    /// Waits for the next thing to happen on any socket and deals with all that did.
    private func turn() {
        let now = ContinuousClock.now
        var sides: [(connection: RelayConnection, socket: Socket)] = []
        var polled = [pollfd(fd: mailbox.alarm.descriptor, events: Int16(POLLIN), revents: 0)]
        let takesClients = connections.count < Self.mostConnections
        polled.append(pollfd(fd: takesClients ? listener?.descriptor ?? -1 : -1, events: Int16(POLLIN), revents: 0))
        for connection in connections {
            for socket in [connection.client, connection.server].compactMap({ $0 }) {
                let events = connection.interest(of: socket, faults: faults, now: now)
                // A side that nothing is wanted of is left out: a hang-up there would be reported without end.
                guard events != 0 else { continue }
                polled.append(pollfd(fd: socket.descriptor, events: events, revents: 0))
                sides.append((connection, socket))
            }
        }
        let release = connections.compactMap { $0.nextRelease(faults: faults, after: now) }.min()
        let count = nfds_t(polled.count)
        let ready = unsafe polled.withUnsafeMutableBufferPointer {
            (entries: inout UnsafeMutableBufferPointer<pollfd>) in
            unsafe poll(entries.baseAddress, count, Self.milliseconds(from: now, until: release))
        }
        guard ready >= 0 else { return }
        for (index, side) in sides.enumerated() where polled[index + 2].revents != 0 && !side.connection.isClosed {
            attend(to: side.socket, of: side.connection, events: Int32(polled[index + 2].revents))
        }
        for connection in connections where !connection.isClosed { deliver(connection) }
        if polled[1].revents != 0 { takeClient() }
    }

    private static func milliseconds(
        from now: ContinuousClock.Instant, until then: ContinuousClock.Instant?
    ) -> Int32 {
        guard let then else { return -1 }
        let (seconds, attoseconds) = now.duration(to: then).components
        return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }

    private func takeClient() {
        guard let client = listener?.accepted() else { return }
        mailbox.counters.withLock { $0.accepted += 1 }
        client.sendAtOnce()
        var server: Socket?
        if !faults.isBlackHole {
            guard let socket = try? Socket.connecting(port: targetPort) else {
                client.resetOnClose()
                return
            }
            socket.sendAtOnce()
            server = socket
        }
        connections.append(
            RelayConnection(
                client: client, server: server, downgrade: manners.downgradesApiVersions ? ApiVersionsDowngrade() : nil,
                advertised: manners.readvertises ? AdvertisedPort(of: targetPort, replacedBy: port) : nil))
    }

    private func attend(to socket: Socket, of connection: RelayConnection, events: Int32) {
        if socket === connection.server, connection.isConnecting {
            guard socket.pendingError == 0 else { return reset(connection) }
            connection.isConnecting = false
            return
        }
        if events & (POLLIN | POLLHUP | POLLERR) != 0 {
            read(connection, socket === connection.client ? .toServer : .toClient)
        }
    }

    private func read(_ connection: RelayConnection, _ direction: RelayDirection) {
        guard let sender = connection.sender(direction) else { return }
        let pipe = connection.pipe(direction)
        guard !pipe.isEnded, pipe.hasRoom || faults.swallows(direction) else { return }
        switch sender.receive(into: &scratch) {
        case .moved(let count): pass(count, of: connection, direction)
        case .wouldBlock: break
        case .failed: reset(connection)
        case .ended:
            if faults.isBlackHole {
                // The other side must not notice anything; a client that left takes its connection along.
                connection.hasLostBytes = true
                if direction == .toServer { reset(connection) }
            }
            connection.withPipe(direction) { $0.isEnded = true }
        }
    }

    /// Deals with the first `count` bytes of the scratch space, which have just arrived.
    private func pass(_ count: Int, of connection: RelayConnection, _ direction: RelayDirection) {
        if faults.swallows(direction) {
            connection.hasLostBytes = true
            mailbox.counters.withLock { counters in
                switch direction {
                case .toServer: counters.swallowedRequests += count
                case .toClient: counters.swallowedReplies += count
                }
            }
            return
        }
        let now = ContinuousClock.now
        if direction == .toServer, connection.downgrade != nil {
            inspect(Array(scratch[..<count]), of: connection, now: now)
            return
        }
        if direction == .toClient, connection.advertised != nil {
            readvertise(Array(scratch[..<count]), of: connection, now: now)
            return
        }
        let (passing, ends) = faults.spend(count, direction)
        connection.isTruncated = connection.isTruncated || ends
        var sent = 0
        // The usual case: nothing waits and nothing is held back, so the bytes go on without being copied.
        if connection.pipe(direction).isEmpty, faults.delay(direction) == .zero, !connection.isConnecting,
            let receiver = connection.receiver(direction)
        {
            switch receiver.send(scratch, 0..<passing) {
            case .moved(let count): sent = count
            case .wouldBlock: break
            case .ended, .failed: return reset(connection)
            }
            tally(sent, direction)
        }
        let rest = Array(scratch[sent..<passing])
        connection.withPipe(direction) { $0.append(rest, at: now) }
    }

    private func inspect(_ bytes: [UInt8], of connection: RelayConnection, now: ContinuousClock.Instant) {
        guard let outcome = connection.downgrade?.receive(bytes) else { return }
        if connection.downgrade?.isOver == true { connection.downgrade = nil }
        let (passing, ends) = faults.spend(outcome.forward.count, .toServer)
        connection.isTruncated = connection.isTruncated || (ends && !outcome.forward.isEmpty)
        connection.requests.append(Array(outcome.forward.prefix(passing)), at: now)
        if faults.swallows(.toClient) {
            connection.hasLostBytes = connection.hasLostBytes || !outcome.reply.isEmpty
        } else {
            connection.replies.append(outcome.reply, at: now)
        }
    }

    private func readvertise(_ bytes: [UInt8], of connection: RelayConnection, now: ContinuousClock.Instant) {
        let bytes = connection.advertised?.receive(bytes) ?? []
        guard !bytes.isEmpty else { return }
        let (passing, ends) = faults.spend(bytes.count, .toClient)
        connection.isTruncated = connection.isTruncated || ends
        connection.replies.append(Array(bytes.prefix(passing)), at: now)
    }

    /// Sends what may leave, and passes on that a side has finished.
    private func deliver(_ connection: RelayConnection) {
        let now = ContinuousClock.now
        for direction in RelayDirection.allCases {
            guard let receiver = connection.receiver(direction) else { continue }
            if receiver === connection.server, connection.isConnecting { continue }
            if faults.swallows(direction), !connection.pipe(direction).isEmpty {
                connection.withPipe(direction) { $0.discard() }
                connection.hasLostBytes = true
            }
            let delay = faults.delay(direction)
            let sent = connection.withPipe(direction) { $0.drain(into: receiver, delay: delay, now: now) }
            guard let sent else { return reset(connection) }
            tally(sent, direction)
            let pipe = connection.pipe(direction)
            if pipe.isEnded, pipe.isEmpty, !pipe.isFinished, !faults.isBlackHole {
                receiver.finishWriting()
                connection.withPipe(direction) { $0.isFinished = true }
            }
        }
    }

    private func tally(_ bytes: Int, _ direction: RelayDirection) {
        guard bytes > 0 else { return }
        mailbox.counters.withLock { counters in
            switch direction {
            case .toServer: counters.bytesToServer += bytes
            case .toClient: counters.bytesToClient += bytes
            }
        }
    }
}
