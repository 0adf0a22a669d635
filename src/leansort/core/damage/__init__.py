"""Pictures that decode to other pixels than were stored: `watch` names the files that decoders complain of."""
