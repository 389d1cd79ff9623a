package main

import (
	"math/rand/v2"
	"time"
)

// setup is one system and its load.
type setup struct {
	instances, shards int // of each service
	clients           int // each sends its next checkout when it has a response
	workers           int // of nginx
	costs             costs

	processors int           // of the host of all processes and the generator; 0: each process has its own processor
	network    time.Duration // delay from one process to another; 0 on one host
	hot        bool          // every checkout buys the same item
	perPeer    bool          // messages for all shards of a peer share HTTP requests
}

// Limits of the services: see maxBatch in common/redis and in common/peer.
const maxCommands, maxMessages = 300, 256

// model is a running simulation.
type model struct {
	setup
	clock
	random    *rand.Rand
	host      *host // of all processes; nil: each process has its own
	kinds     map[string][]*process
	generator *process // nil: it costs nothing
	nginx     []*process
	order     []*instance
	client    []client
	next      int // number of checkouts that have begun

	finished int // checkouts since the last reset
	latency  time.Duration
}

type instance struct {
	*process
	shards []*batcher    // commands for each Redis
	peers  [2][]*batcher // messages to payment and stock; nil unless this is an order instance
}

// client is a simulated client and the progress of its current checkout.
type client struct {
	began   time.Duration
	in      *instance
	shard   int    // of the order
	of      [2]int // the user's shard and the item's shard
	step    int
	replied func() // called when a Redis of a participant has replied; nil while the client uses the order's Redis
}

// The participants in the order in which a checkout uses them.
const payment, stock = 0, 1

func newModel(s setup) *model {
	m := &model{setup: s, random: rand.New(rand.NewPCG(1, 2)), kinds: map[string][]*process{}}
	if s.processors > 0 {
		m.host = &host{clock: &m.clock, free: s.processors, slice: micros(s.costs.slice)}
		m.generator = m.process("generator")
	}
	for range s.workers {
		m.nginx = append(m.nginx, m.process("nginx"))
	}
	peers := [2][]*instance{m.service("payment", s.costs.reserve), m.service("stock", s.costs.reserve)}
	m.order = m.service("order", s.costs.script)
	for _, in := range m.order {
		for p := range peers {
			for range m.group(s.shards-1) + 1 {
				b := &batcher{sender: in.process, limit: maxMessages}
				b.send = func(batch []int, done func()) { m.call(in, p, peers[p], batch, done) }
				in.peers[p] = append(in.peers[p], b)
			}
		}
	}
	m.client = make([]client, s.clients)
	for i := range m.client {
		m.begin(i)
	}
	return m
}

// group returns the index of the batcher for messages to a shard.
func (m *model) group(shard int) int {
	if m.perPeer {
		return 0
	}
	return shard
}

func (m *model) process(kind string) *process {
	h := m.host
	if h == nil {
		h = &host{clock: &m.clock, free: 1, slice: micros(m.costs.slice)}
	}
	p := &process{host: h, wake: micros(m.costs.wake), delay: micros(m.costs.delay)}
	m.kinds[kind] = append(m.kinds[kind], p)
	return p
}

// service adds the Redis servers and the instances of a service to the model, and returns the instances. The argument
// "script" is the cost of one script in Redis, in µs.
func (m *model) service(name string, script float64) (all []*instance) {
	var redis []*process
	for range m.shards {
		r := m.process("redis-" + name)
		r.disk = &disk{micros(m.costs.flush), micros(m.costs.fsync)}
		redis = append(redis, r)
	}
	for range m.instances {
		in := &instance{process: m.process(name)}
		for _, r := range redis {
			b := &batcher{sender: in.process, limit: maxCommands}
			b.send = func(batch []int, done func()) { m.exchange(in, r, script, batch, done) }
			in.shards = append(in.shards, b)
		}
		all = append(all, in)
	}
	return all
}

// exchange sends a batch of commands to a Redis server and delivers the replies.
func (m *model) exchange(in *instance, redis *process, script float64, batch []int, done func()) {
	cost := micros(m.costs.batch + script*float64(len(batch)))
	m.send(in.process, micros(m.costs.command), redis, cost, func() {
		m.after(m.network, func() {
			for _, c := range batch {
				if reply := m.client[c].replied; reply != nil {
					reply()
				} else {
					in.do(micros(m.costs.order), func() { m.proceed(c) })
				}
			}
			in.soon(done) // the tasks above may add commands to the next batch first
		})
	})
}

// call sends an HTTP request with messages to any instance of a participant, and delivers the response when the Redis
// servers have replied to all messages.
func (m *model) call(in *instance, p int, peers []*instance, batch []int, done func()) {
	to, left := peers[m.random.IntN(len(peers))], len(batch)
	cost := micros(m.costs.handle + m.costs.message*float64(left))
	respond := func() {
		in.do(0, done)
		for _, c := range batch {
			m.client[c].replied = nil
			in.do(micros(m.costs.order), func() { m.proceed(c) })
		}
	}
	m.send(in.process, micros(m.costs.request), to.process, cost, func() {
		for _, c := range batch {
			m.client[c].replied = func() {
				if left--; left == 0 {
					to.do(0, func() { m.after(m.network, respond) })
				}
			}
			to.shards[m.client[c].of[p]].add(c)
		}
	})
}

// send runs a task in one process and then, after the network delay, a task in another process.
func (m *model) send(from *process, cost time.Duration, to *process, next time.Duration, done func()) {
	from.do(cost, func() { m.after(m.network, func() { to.do(next, done) }) })
}

// begin sends the next checkout of a client.
func (m *model) begin(i int) {
	m.client[i] = client{in: m.order[m.next%len(m.order)], shard: m.random.IntN(m.shards),
		of: [2]int{m.random.IntN(m.shards), m.random.IntN(m.shards)}}
	c := &m.client[i]
	m.next++
	if m.hot {
		c.of[stock] = 0
	}
	request := func() {
		c.began = m.now
		m.send(m.nginx[i%len(m.nginx)], micros(m.costs.nginx), c.in.process, micros(m.costs.order),
			func() { m.proceed(i) })
	}
	if m.generator == nil {
		m.after(m.network, request)
		return
	}
	m.generator.do(micros(m.costs.generator), request)
}

// proceed starts the next step of a checkout: begin, reserve credit, reserve stock, commit, respond.
func (m *model) proceed(i int) {
	c := &m.client[i]
	c.step++
	switch c.step {
	case 1, 4:
		c.in.shards[c.shard].add(i)
	case 2:
		c.in.peers[payment][m.group(c.of[payment])].add(i)
	case 3:
		c.in.peers[stock][m.group(c.of[stock])].add(i)
	default:
		m.after(m.network, func() {
			m.nginx[i%len(m.nginx)].do(micros(m.costs.nginx), func() {
				m.finished++
				m.latency += m.now - c.began
				m.begin(i)
			})
		})
	}
}

// result describes the checkouts of a run.
type result struct {
	rate     float64            // checkouts per second
	latency  time.Duration      // mean
	used     map[string]float64 // processor time per checkout in µs, for each kind of process
	busiest  string             // kind of the busiest process
	share    float64            // part of the time in which the busiest process uses a processor or (Redis) the disk
	messages float64            // per HTTP request
}

// run simulates a number of checkouts after a warm-up.
func run(s setup, checkouts int) result {
	m := newModel(s)
	for m.finished < checkouts/4 {
		m.step()
	}
	start := m.now
	m.finished, m.latency = 0, 0
	for _, all := range m.kinds {
		for _, p := range all {
			p.used, p.waited = 0, 0
		}
	}
	for m.finished < checkouts {
		m.step()
	}
	elapsed := m.now - start
	r := result{rate: float64(checkouts) / elapsed.Seconds(), latency: m.latency / time.Duration(checkouts),
		used: map[string]float64{}}
	for kind, all := range m.kinds {
		for _, p := range all {
			r.used[kind] += float64(p.used) / float64(time.Microsecond) / float64(checkouts)
			if share := float64(p.used+p.waited) / float64(elapsed); share > r.share {
				r.busiest, r.share = kind, share
			}
		}
	}
	messages, requests := 0, 0
	for _, in := range m.order {
		for _, list := range in.peers {
			for _, b := range list {
				messages += b.items
				requests += b.batches
			}
		}
	}
	r.messages = float64(messages) / float64(requests)
	return r
}

// servers returns the processor time of all processes but the generator, per checkout in µs.
func (r result) servers() (sum float64) {
	for kind, used := range r.used {
		if kind != "generator" {
			sum += used
		}
	}
	return sum
}
