package faultproxy

import "time"

// Weather is what becomes of what passes. The zero value is fine weather.
type Weather struct {
	Cut      bool          // connections end, and nobody takes new ones
	Silent   bool          // connections stay, and nothing passes: neither messages nor replies; what was under way is lost
	Mute     bool          // messages pass, replies do not
	Delay    time.Duration // the longest time that a message and a reply each are held back; connections overtake each other
	Double   float64       // how likely a message that may be repeated arrives twice
	Late     float64       // how likely it arrives again when it is not expected any more,
	LateFor  time.Duration // at most so much later
	Recorded float64       // how likely it is kept for Recorder.Replay
}

// Set changes the weather. When it becomes fine, what has been lost has been lost with its connection.
func (tp *Tap) Set(w Weather) {
	tp.mu.Lock()
	before := tp.weather
	tp.weather = w
	close(tp.changed)
	tp.changed = make(chan struct{})
	tp.mu.Unlock()
	if w.Cut || before.Silent && !w.Silent || before.Mute && !w.Mute {
		tp.cut()
	}
}

// now is the weather at this moment.
func (tp *Tap) now() Weather {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return tp.weather
}

// Held tells whether a message is lost, after it was held until that was clear.
func (tp *Tap) lost(is func(Weather) bool) bool {
	lost := false
	for {
		tp.mu.Lock()
		w, changed := tp.weather, tp.changed
		tp.mu.Unlock()
		if !is(w) {
			return lost
		}
		lost = true
		<-changed
	}
}

// part is a part, from 0 to 1, of a time.
func part(of float64, whole time.Duration) time.Duration { return time.Duration(of * float64(whole)) }

func silent(w Weather) bool { return w.Silent }
func mute(w Weather) bool   { return w.Silent || w.Mute }
