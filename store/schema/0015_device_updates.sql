-- Whether a device is updated of itself, only on its owner's word each time, or never: see firmward.Device.

ALTER TABLE device ADD COLUMN updates @text NOT NULL DEFAULT ''
