package firmward

// Vitals is what a device says of its own power and radio. What it has not or does not say is absent.
type Vitals struct {
	Battery  *int // percent of its charge
	External bool // it runs on external power, whatever its battery holds
	Signal   *int // dBm, as its radio hears the network; a wired device has none
}
