package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Image families.
const (
	FamilyPlug      = "shelly-gen2"
	FamilyPlugG3    = "shelly-gen3"
	FamilyCamera    = "axis"
	FamilyWLED      = "wled"
	FamilyTasmota   = "tasmota"
	FamilyOpenWrt   = "openwrt"
	FamilyHikvision = "hikvision"
	FamilyRedfish   = "redfish"
)

// Flaws of an image. A flaw that a device does not know has no effect.
const (
	FlawDeadStream    = "dead-stream"    // the camera's RTSP service never starts
	FlawBootLoop      = "boot-loop"      // the new version never comes up
	FlawWrongChecksum = "wrong-checksum" // the payload does not match the header
	FlawWrongMagic    = "wrong-magic"    // not recognisable as an image
	FlawUnsigned      = "unsigned"       // cameras refuse it: it bears no signature
	FlawRevoked       = "revoked"        // cameras refuse it: the maker has withdrawn the version
	FlawOpenTelnet    = "open-telnet"    // routers: TCP port 23 is open
	FlawDeadBroker    = "dead-broker"    // routers: their MQTT broker never starts
	FlawResetConfig   = "reset-config"   // routers and lights: all settings but passwords are the maker's again
	FlawFactoryLogin  = "factory-login"  // routers: the maker's password is accepted beside the owner's
	FlawSluggish      = "sluggish"       // routers: each answer takes two seconds
	FlawNewLayout     = "new-layout"     // routers refuse it as long as they shall keep their settings (compat_version 1.1)
)

// ImageSpec says which firmware image to make.
type ImageSpec struct {
	Family      string
	Model       string
	HardwareRev string // comma-separated revisions that it is made for; empty: any
	Version     string
	Size        int // bytes of the whole file; 0: the family's usual size, up to 30 MB
	Flaws       []string
}

const imageMagic = "LABFW\x01\r\n"

// imageHeader stands after the magic and its own length (4 bytes, big endian), as JSON. The payload follows.
type imageHeader struct {
	Family   string   `json:"family"`
	Model    string   `json:"model"`
	Hardware []string `json:"hardware,omitempty"`
	Version  string   `json:"version"`
	Flaws    []string `json:"flaws,omitempty"`
	Size     int64    `json:"size"` // of the payload
	SHA256   string   `json:"sha256"`
}

// imageCache holds the last images made, up to imageCacheBytes.
var imageCache struct {
	sync.Mutex
	keys  []string
	files map[string][]byte
	bytes int
}

const imageCacheBytes = 192 << 20

// BuildImage makes a firmware image: a header and a payload that looks random but is always the same for the same
// spec. The result is shared with later calls and must not be changed.
func BuildImage(spec ImageSpec) []byte {
	key := fmt.Sprintf("%q %q %q %q %d %q", spec.Family, spec.Model, spec.HardwareRev, spec.Version, spec.Size, spec.Flaws)
	c := &imageCache
	c.Lock()
	defer c.Unlock()
	if file, ok := c.files[key]; ok {
		return file
	}
	file := makeImage(spec, key)
	if c.files == nil {
		c.files = map[string][]byte{}
	}
	c.files[key], c.keys, c.bytes = file, append(c.keys, key), c.bytes+len(file)
	for c.bytes > imageCacheBytes && len(c.keys) > 1 {
		c.bytes -= len(c.files[c.keys[0]])
		delete(c.files, c.keys[0])
		c.keys = c.keys[1:]
	}
	return file
}

// usualSize is that of a whole file.
var usualSize = map[string]int{
	FamilyPlug: 8 << 20, FamilyPlugG3: 10 << 20, FamilyCamera: 30_000_000, FamilyWLED: 1_400_000, FamilyTasmota: 650_000,
	FamilyOpenWrt: 7 << 20, FamilyHikvision: 24_000_000, FamilyRedfish: 32_000_000,
}

func makeImage(spec ImageSpec, key string) []byte {
	if spec.Size <= 0 {
		spec.Size = usualSize[spec.Family]
	}
	if spec.Size <= 0 {
		spec.Size = 16 << 20
	}
	h := imageHeader{
		Family: spec.Family, Model: spec.Model, Version: spec.Version, Flaws: spec.Flaws,
		Size: int64(spec.Size), SHA256: strings.Repeat("0", 64),
	}
	if spec.HardwareRev != "" {
		h.Hardware = strings.Split(spec.HardwareRev, ",")
	}
	// The header holds the payload's size in digits, so its length settles after a round.
	for range 2 {
		h.Size = int64(max(spec.Size-len(h.encode()), 1))
	}
	payload := make([]byte, (h.Size+7)/8*8)
	seed := fnv.New64a()
	seed.Write([]byte(key))
	random := rand.NewPCG(seed.Sum64(), 0x66697277)
	for i := 0; i < len(payload); i += 8 {
		binary.LittleEndian.PutUint64(payload[i:], random.Uint64())
	}
	payload = payload[:h.Size]
	sum := sha256.Sum256(payload)
	if slices.Contains(spec.Flaws, FlawWrongChecksum) {
		sum[0] ^= 0xff
	}
	h.SHA256 = hex.EncodeToString(sum[:])
	file := append(h.encode(), payload...)
	if slices.Contains(spec.Flaws, FlawWrongMagic) {
		file[0] ^= 0xff
	}
	return file
}

func (h imageHeader) encode() []byte {
	body, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	head := append([]byte(imageMagic), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(head[len(imageMagic):], uint32(len(body)))
	return append(head, body...)
}

// receivedImage is what a device knows of a file that it took in.
type receivedImage struct {
	imageHeader
	sum   string // SHA-256 of the whole file, hexadecimal
	bytes int64
}

var errInvalidImage = errors.New("not a valid image")

// maxImage bounds what a device takes in.
const maxImage = 64 << 20

// readImage takes in a file of at most maxImage bytes and checks it. On an error the result still says how much was
// read. errInvalidImage is wrapped if the file was complete but bad; other errors come from r.
func readImage(r io.Reader) (img receivedImage, err error) {
	whole := sha256.New()
	in := io.TeeReader(io.LimitReader(r, maxImage+1), whole)
	read := func(n int) ([]byte, error) {
		b := make([]byte, n)
		got, err := io.ReadFull(in, b)
		img.bytes += int64(got)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("%w: the header is cut off", errInvalidImage)
		}
		return b, err
	}
	rest := func(payload io.Writer) error {
		n, err := io.Copy(payload, in)
		img.bytes += n
		img.sum = hex.EncodeToString(whole.Sum(nil))
		return err
	}
	bad := func(why string) (receivedImage, error) {
		if err := rest(io.Discard); err != nil {
			return img, err
		}
		return img, fmt.Errorf("%w: %s", errInvalidImage, why)
	}
	start, err := read(len(imageMagic) + 4)
	if err != nil {
		return img, err
	}
	size := binary.BigEndian.Uint32(start[len(imageMagic):])
	if !bytes.HasPrefix(start, []byte(imageMagic)) || size > 64<<10 {
		return bad("wrong magic")
	}
	head, err := read(int(size))
	if err != nil {
		return img, err
	}
	if err := json.Unmarshal(head, &img.imageHeader); err != nil {
		return bad("unreadable header")
	}
	before := img.bytes
	payload := sha256.New()
	if err := rest(payload); err != nil {
		return img, err
	}
	switch {
	case img.bytes > maxImage:
		return bad("too large")
	case img.bytes-before != img.Size:
		return img, fmt.Errorf("%w: the payload has %d bytes, the header says %d", errInvalidImage, img.bytes-before, img.Size)
	case hex.EncodeToString(payload.Sum(nil)) != img.SHA256:
		return img, fmt.Errorf("%w: wrong checksum", errInvalidImage)
	}
	return img, nil
}

// fits tells whether the image is made for one of the names and for the hardware revision.
func (h imageHeader) fits(hardwareRev string, names ...string) bool {
	return slices.Contains(names, h.Model) && (len(h.Hardware) == 0 || slices.Contains(h.Hardware, hardwareRev))
}

// older tells whether dotted version a is lower than b; a part that is no number counts as 0.
func older(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		x, y := 0, 0
		if i < len(as) {
			x, _ = strconv.Atoi(as[i])
		}
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if x != y {
			return x < y
		}
	}
	return false
}
