package faultproxy

import "net"

// ForTCP starts a proxy for a protocol without requests, such as the replication of Redis. The proxy forwards bytes as
// they arrive. All bytes from the target count as replies. The proxy injects only Cut, Blackhole, DropMessages and
// DropReplies.
func ForTCP(target string) (*Proxy, error) { return listen(target, nil) }

// copyBytes forwards bytes in one direction until a fault drops some of them. Then copyBytes closes the connection,
// because the later bytes of the stream are useless without the dropped bytes.
func (l *link) copyBytes(to, from net.Conn, drops func(Faults) bool) {
	defer l.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && l.dropped(drops) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// forwardBytes forwards both directions until the connection ends.
func (l *link) forwardBytes() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.copyBytes(l.target, l.client, dropsMessages)
	}()
	l.copyBytes(l.client, l.target, dropsReplies)
	<-done
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.links, l)
}
