package staging

import (
	"strings"
	"time"

	"github.com/firmward/firmward"
)

// MayCopy says why the configuration of a device in use must not be read for a rehearsal now, or "": to read it is to touch the device.
func MayCopy(d firmward.Device, now time.Time) string {
	switch {
	case d.Retired:
		return d.Name + " is retired"
	case len(d.Addrs) == 0:
		return d.Name + " has no address of its own"
	case d.Careful() && !d.Released.Contains(now):
		return d.Name + " is in clinical or process use, and its owner has not released it for this time"
	}
	return ""
}

// copied is how a configuration that was taken over is called among what a place mirrors.
const copied = "configuration"

// Copies reports whether a place takes over how a device in use is set up: only one that no wire leads out of may know its addresses.
func Copies(place firmward.Place) bool { return place == firmward.PlaceVM }

// NotMirrored names what of the real world was not there in a rehearsal; mirrored is what its place brings of it.
func NotMirrored(h firmward.Rehearsal, mirrored []string) []string {
	all := []string{
		"the load and the people of a device in use",
		"what stands behind it and beside it: gateways, controllers, archives, other makers' devices",
	}
	switch h.Place {
	case firmward.PlaceLab:
		return append(all, "the device itself: it is a simulated one")
	case firmward.PlaceVM:
		all = append(all, "the device itself, its chip, radio and sensors: it is a virtual machine")
	default:
		return append(all, "isolation: it stands in a network with others, and nothing kept it from reaching them")
	}
	for _, what := range Services() {
		has := what == copied && h.Copied != ""
		for _, m := range mirrored {
			has = has || strings.HasPrefix(m, what)
		}
		switch {
		case has && what == copied:
			all = append(all, "passwords and the network of the real place: they are no part of the configuration that was copied")
		case has:
		case what == copied && h.NotCopied != "":
			all = append(all, "configuration of the real place: "+h.NotCopied)
		default:
			all = append(all, what+" of the real place")
		}
	}
	return all
}

// Services are what a network gives to its devices, and a twin can mirror.
func Services() []string { return []string{"DHCP", "DNS", "NTP", "MQTT broker", copied} }
