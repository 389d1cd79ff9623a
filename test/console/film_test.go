package console

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// film is a sequence of frames.
type film struct {
	shots [][]byte // as PNG
	times []time.Time
}

// record collects the frames that Chromium draws, until ended is closed. Chromium sends a frame when the page has
// changed, but waits while inFlight frames are not acknowledged. Screenshots would be too slow: Chromium needs about
// half a second for each.
func (f *film) record(b *browser, ended <-chan struct{}) error {
	ctx, cancel := context.WithCancel(b.Context)
	defer cancel()
	const inFlight = 3
	frames := make(chan *page.EventScreencastFrame, inFlight)
	if err := chromedp.Listen(ctx, func(event any) {
		if frame, ok := event.(*page.EventScreencastFrame); ok {
			frames <- frame
		}
	}); err != nil {
		return err
	}
	params := page.StartScreencastParams{Format: page.StartScreencastFormatPng, MaxFramesInFlight: inFlight}
	if _, err := chromedp.Call(ctx, page.StartScreencast, params); err != nil {
		return err
	}
	for {
		select {
		case <-ended:
			_, err := chromedp.Call(ctx, page.StopScreencast, cdp.Empty{})
			return err
		case frame := <-frames:
			drawn := time.UnixMicro(int64(frame.Metadata.Timestamp * 1e6))
			f.shots, f.times = append(f.shots, frame.Data), append(f.times, drawn)
			ack := page.ScreencastFrameAckParams{SessionID: frame.SessionID}
			if _, err := chromedp.Call(ctx, page.ScreencastFrameAck, ack); err != nil {
				return err
			}
		}
	}
}

// lastFrame is how long an animation shows its last frame before it starts again.
const lastFrame = 3 * time.Second

// save writes the film as an animated GIF. Each frame contains only the pixels that have changed.
func (f *film) save(t *testing.T, path string) {
	t.Helper()
	var frames []image.Image
	for _, shot := range f.shots {
		frame, err := png.Decode(bytes.NewReader(shot))
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
	colors := palette(frames)
	index := map[color.RGBA]uint8{}
	animation := &gif.GIF{}
	var shown *image.Paletted
	for i, frame := range frames {
		next := image.NewPaletted(frame.Bounds(), colors)
		for y := range frame.Bounds().Dy() {
			for x := range frame.Bounds().Dx() {
				c := rgba(frame, x, y)
				n, known := index[c]
				if !known {
					n = uint8(1 + colors[1:].Index(c))
					index[c] = n
				}
				next.SetColorIndex(x, y, n)
			}
		}
		end := f.times[i].Add(lastFrame)
		if i+1 < len(f.times) {
			end = f.times[i+1]
		}
		delay := int(end.Sub(f.times[i]) / (10 * time.Millisecond))
		if changed := difference(shown, next); !changed.Rect.Empty() {
			animation.Image = append(animation.Image, changed)
			animation.Delay = append(animation.Delay, delay)
			animation.Disposal = append(animation.Disposal, gif.DisposalNone)
		} else {
			animation.Delay[len(animation.Delay)-1] += delay
		}
		shown = next
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := gif.EncodeAll(file, animation); err != nil {
		t.Fatal(err)
	}
	if info, err := file.Stat(); err != nil || info.Size() > 1<<20 {
		t.Errorf("stat %s: got %d bytes, error %v; want at most 1 MiB", path, info.Size(), err)
	}
}

func rgba(frame image.Image, x, y int) color.RGBA {
	return color.RGBAModel.Convert(frame.At(frame.Bounds().Min.X+x, frame.Bounds().Min.Y+y)).(color.RGBA)
}

// palette returns at most 256 colours. The first is transparent, and the others are sorted by their frequency in a
// sample of the frames. After the 63 most frequent colours, palette skips a colour if a more frequent one is similar.
// The colours are not dithered, because dithering would blur text and enlarge the file.
func palette(frames []image.Image) color.Palette {
	counts := map[color.RGBA]int{}
	for i := 0; i < len(frames); i += max(1, len(frames)/8) {
		frame := frames[i]
		for y := range frame.Bounds().Dy() {
			for x := range frame.Bounds().Dx() {
				counts[rgba(frame, x, y)]++
			}
		}
	}
	all := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int { return counts[b] - counts[a] })
	colors, similar := color.Palette{color.RGBA{}}, map[color.RGBA]bool{}
	for _, c := range all {
		key := color.RGBA{c.R >> 4, c.G >> 4, c.B >> 4, 0}
		if len(colors) == 256 {
			break
		}
		if len(colors) < 64 || !similar[key] {
			colors = append(colors, c)
		}
		similar[key] = true
	}
	return colors
}

// difference compares two frames. It returns the part of the second frame that has changed. Unchanged pixels in this
// part are transparent.
func difference(shown, next *image.Paletted) *image.Paletted {
	if shown == nil {
		return next
	}
	var changed image.Rectangle
	for y := range next.Rect.Dy() {
		for x := range next.Rect.Dx() {
			if shown.ColorIndexAt(x, y) != next.ColorIndexAt(x, y) {
				changed = changed.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	part := image.NewPaletted(changed, next.Palette)
	for y := changed.Min.Y; y < changed.Max.Y; y++ {
		for x := changed.Min.X; x < changed.Max.X; x++ {
			if n := next.ColorIndexAt(x, y); n != shown.ColorIndexAt(x, y) {
				part.SetColorIndex(x, y, n)
			}
		}
	}
	return part
}
