package failover

import "checkout/test/model/visited"

// key is a state packed for the visited set. The lower 40 bits of each word belong to a node, the upper 24 bits to the
// shard.
type key [nodes]uint64

// Hash returns a hash of the key.
func (k key) Hash() uint32 { return visited.HashWords(k[:]) }

func (k *key) less(l *key) bool {
	for i := range k {
		if k[i] != l[i] {
			return k[i] < l[i]
		}
	}
	return false
}

// orders are all permutations of the nodes.
var orders = [...][nodes]uint8{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}

// key returns the key of a state. States that differ only in the numbers of the nodes have the same key.
func (s *state) key() key {
	var own [nodes]uint64
	for i := range s.nodes {
		own[i] = s.nodes[i].pack()
	}
	var best key
	found := false
	for _, order := range orders {
		if own[order[0]] > own[order[1]] || own[order[1]] > own[order[2]] {
			continue
		}
		if k := s.pack(order, &own); !found || k.less(&best) {
			best, found = k, true
		}
	}
	return best
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// pack packs the fields that contain no number of a node.
func (n *node) pack() uint64 {
	return uint64(n.mem) | uint64(n.disk)<<6 | uint64(n.promise)<<12 | uint64(n.synced)<<15 | uint64(n.candidacy)<<18 |
		uint64(n.asked)<<20 | uint64(n.noted)<<23 | bit(n.lost)<<29 | bit(n.dead)<<30 | bit(n.history)<<36
}

// pack packs a state with its nodes in the given order.
func (s *state) pack(order [nodes]uint8, own *[nodes]uint64) key {
	var k key
	var renamed [nodes + 1]uint64
	for to, from := range order {
		renamed[from+1] = uint64(to) + 1
	}
	for to, from := range order {
		n := &s.nodes[from]
		k[to] = own[from] | renamed[n.follows]<<31
		for j := range uint8(nodes) {
			k[to] |= uint64(n.agreed>>j&1) << (32 + renamed[j+1])
		}
	}
	for i := range maxTerms {
		t := &s.terms[1+i]
		k[i/3] |= (uint64(t.parent) | renamed[t.node]<<6) << (40 + i%3*8)
	}
	k[2] |= (uint64(s.acked) | uint64(s.batches)<<6 | uint64(s.losses)<<9 | bit(s.forked)<<11 | uint64(s.stale)<<12 |
		uint64(s.terms[maxTerms-1].epoch)<<18 | uint64(s.terms[maxTerms].epoch)<<21) << 40
	return k
}

// unpack returns a state with this key. Its nodes are in the order of the words.
func (k *key) unpack() state {
	var s state
	for i := range s.nodes {
		w := k[i]
		s.nodes[i] = node{
			mem: tip(w & 63), disk: tip(w >> 6 & 63), promise: uint8(w >> 12 & 7), synced: uint8(w >> 15 & 7),
			candidacy: candidacy(w >> 18 & 3), asked: uint8(w >> 20 & 7), noted: tip(w >> 23 & 63), lost: w>>29&1 == 1,
			dead: w>>30&1 == 1, follows: uint8(w >> 31 & 3), agreed: uint8(w >> 33 & 7), history: w>>36&1 == 1,
		}
	}
	w := k[2] >> 40
	for i := range maxTerms {
		t := k[i/3] >> (40 + i%3*8)
		one := term{parent: tip(t & 63), node: uint8(t >> 6 & 3)}
		switch {
		case i >= maxEpochs:
			one.epoch = uint8(w >> (18 + 3*(i-maxEpochs)) & 7)
		case one.node != 0:
			one.epoch = uint8(1 + i)
		}
		s.terms[1+i] = one
	}
	s.acked, s.batches, s.losses, s.stale = tip(w&63), uint8(w>>6&7), uint8(w>>9&3), tip(w>>12&63)
	s.forked = w>>11&1 == 1
	return s
}
