/* The settings of a training: one entry each, and nothing else to write for a new one. Included
 * where SETTING says what of an entry is wanted: its field for struct kl_training
 * (core/training/training.h), or its row of the table (core/training/settings.h, where the columns
 * are explained).
 *
 *   SETTING(declaration of its field, or nothing where another room's struct has it; the field;
 * name in files and answers; flag; type; what stands for its value in help; low; high; open bounds;
 * choice; kinds of data; fallback; help) */
/* clang-format off */
SETTING(char name[KL_NAME_MAX];, name, "name", "name", TEXT, "TEXT", 0, 0, 0, NULL, KL_OF_ALL, "",
        "the run's name (default: the preset's, or the data set's when other options change the preset)")
SETTING(uint32_t architecture;, architecture, "architecture", "architecture", CHOICE, NULL, 0, 0, 0, model_name, KL_OF_ALL, "mlp",
        "what the network is; default: mlp for images, lstm for text")
SETTING(, model, "hidden", "hidden", WIDTHS, "N[,N...]", 1, KL_WIDTH_MAX, 0, NULL, KL_OF_ALL, "none",
        "widths of the hidden layers, or cells of each LSTM layer; 'none' for a single linear layer")
SETTING(, model.embedding, "embedding", "embedding", INTEGER, "N", 0, KL_WIDTH_MAX, 0, NULL, KL_OF_TEXT, "0",
        "width of the vector that stands for a token")
SETTING(, model.activation, "activation", "activation", CHOICE, NULL, 0, 0, 0, activation_name, KL_OF_IMAGES, "relu",
        "what follows the hidden layers: relu (default), silu or gelu, which have no kinks")
SETTING(uint32_t initialisation;, initialisation, "initialisation", "init", CHOICE, NULL, 0, 0, 0, initialisation_name, KL_OF_IMAGES, "xavier",
        "initial weights: normal, with Xavier's or He's deviation; an LSTM's are uniform")
SETTING(uint64_t seed;, seed, "seed", "seed", SEED, "N", 0, SEED_MAX, 0, NULL, KL_OF_ALL, "1",
        "random seed (default 1): the same run with the same version on the same kind of processor, however many of them; elsewhere sums round otherwise")
SETTING(uint32_t n_steps;, n_steps, "steps", "steps", INTEGER, "N", 1, INTEGER_MAX, 0, NULL, KL_OF_ALL, "1000",
        "minibatch updates (default: the preset's; of other data than its own some twenty passes, if these are fewer)")
SETTING(uint32_t batch_size;, batch_size, "batch_size", "batch", INTEGER, "N", 1, 65536, 0, NULL, KL_OF_ALL, "64",
        "patterns per step; streams of text")
SETTING(uint32_t unroll;, unroll, "unroll", "unroll", INTEGER, "N", 1, 1 << 20, 0, NULL, KL_OF_TEXT, "1",
        "tokens of each stream a step")
SETTING(double dropout;, dropout, "dropout", "dropout", REAL, "P", 0, 1, KL_OPEN_HIGH, NULL, KL_OF_TEXT, "0",
        "share of the output layer's keys set to 0 in training")
SETTING(uint32_t optimiser;, optimiser, "optimiser", "optimiser", CHOICE, NULL, 0, 0, 0, optimiser_name, KL_OF_ALL, "sgd",
        "sgd, adam, or adamw, whose weights decay beside the gradient's step")
SETTING(double learning_rate;, learning_rate, "learning_rate", "lr", REAL, "X", 0, 1000, KL_OPEN_LOW, NULL, KL_OF_ALL, "0.01",
        "learning rate (with adam and adamw by default 0.001)")
SETTING(uint32_t lr_schedule;, lr_schedule, "lr_schedule", "lr-schedule", CHOICE, NULL, 0, 0, 0, lr_schedule_name, KL_OF_ALL, "constant",
        "constant, cosine (to 0 at the end) or step")
SETTING(uint32_t lr_period;, lr_period, "lr_period", "lr-period", INTEGER, "N", 0, INTEGER_MAX, 0, NULL, KL_OF_ALL, "0",
        "steps between drops of the step schedule")
SETTING(double lr_gamma;, lr_gamma, "lr_gamma", "lr-gamma", REAL, "X", 0, 1, KL_OPEN_LOW, NULL, KL_OF_ALL, "0.1",
        "factor of each drop")
SETTING(double momentum;, momentum, "momentum", "momentum", REAL, "X", 0, 1, KL_OPEN_HIGH, NULL, KL_OF_ALL, "0",
        "0 up to 1, of sgd; Adam has its own")
SETTING(double dampening;, dampening, "dampening", "dampening", REAL, "X", 0, 1, KL_OPEN_HIGH, NULL, KL_OF_ALL, "0",
        "what the momentum leaves out of each gradient, of sgd")
SETTING(uint32_t nesterov;, nesterov, "nesterov", "nesterov", FLAG, NULL, 0, 1, 0, NULL, KL_OF_ALL, "0",
        "Nesterov's momentum, of sgd")
SETTING(double beta_1;, beta_1, "beta_1", "beta1", REAL, "X", 0, 0.99999, 0, NULL, KL_OF_ALL, "0.9",
        "Adam's: what is left of the mean gradient a step later (default 0.9)")
SETTING(double beta_2;, beta_2, "beta_2", "beta2", REAL, "X", 0, 0.99999, 0, NULL, KL_OF_ALL, "0.999",
        "Adam's: what is left of the mean squared gradient a step later (default 0.999)")
SETTING(double epsilon;, epsilon, "epsilon", "epsilon", REAL, "X", 1e-30, 1, 0, NULL, KL_OF_ALL, "1e-8",
        "Adam's: what is added to the root of the mean squared gradient (default 1e-8)")
SETTING(double weight_decay;, weight_decay, "weight_decay", "weight-decay", REAL, "X", 0, 1, 0, NULL, KL_OF_ALL, "0",
        "L2 penalty, on biases too; of adamw the share of the learning rate by which weights decay (default 0.01)")
SETTING(double clip_norm;, clip_norm, "clip_norm", "clip", REAL, "X", 0, HUGE_VAL, KL_OPEN_HIGH, NULL, KL_OF_ALL, "0",
        "largest norm of the gradient; 0 for no clipping")
SETTING(uint32_t dtype;, dtype, "dtype", "dtype", CHOICE, NULL, KL_F16, 0, 0, dtype_name, KL_OF_ALL, "float16",
        "number format of the history: float16 (default) or float32")
SETTING(uint32_t attention_only;, attention_only, "attention_only", "attention-only", FLAG, NULL, 0, 1, 0, NULL, KL_OF_ALL, "0",
        "record no error signals: a smaller file, attention without contributions")
SETTING(uint32_t evaluation_steps;, evaluation_steps, "evaluation_steps", "evaluation-steps", INTEGER, "N", 1, INTEGER_MAX, 0, NULL, KL_OF_ALL, "100",
        "steps between evaluations on the test split (default: a 20th of all)")
SETTING(uint32_t snapshot_steps;, snapshot_steps, "snapshot_steps", "snapshot-steps", INTEGER, "N", 0, INTEGER_MAX, 0, NULL, KL_OF_ALL, "0",
        "steps between snapshots of the weights, which show how an answer was learned (default: a 100th, of text a 25th; 0: none)")
SETTING(uint32_t checkpoint_steps;, checkpoint_steps, "checkpoint_steps", "checkpoint-steps", INTEGER, "N", 1, INTEGER_MAX, 0, NULL, KL_OF_ALL, "100",
        "steps between commits of the history (default 100)")
SETTING(uint32_t data_schedule;, data_schedule, "data_schedule", "schedule", CHOICE, NULL, 0, 0, 0, data_schedule_name, KL_OF_ALL, "joint",
        "joint (default): data sets shuffled together; sequential: one after the other, in the order they are named")
SETTING(uint32_t switches[KL_DATASETS_MAX - 1];, switches, "switches", "switch", STEPS, "N[,N...]", 1, INTEGER_MAX, 0, NULL, KL_OF_ALL, "",
        "the last step with each data set but the last")
SETTING(uint32_t heads;, heads, "heads", "heads", CHOICE, NULL, 0, 0, 0, heads_name, KL_OF_IMAGES, "shared",
        "shared (default): label c of every data set is output c; separate: every data set has outputs of its own")
SETTING(, selection.validation, "validation", "validation", INTEGER, "N", 0, INTEGER_MAX, 0, NULL, KL_OF_IMAGES, "0",
        "take N training samples of each data set, evenly of every class, out as a validation split (presets of the paper: 10000)")
SETTING(, selection.limit, "limit", "limit", INTEGER, "N", 0, INTEGER_MAX, 0, NULL, KL_OF_IMAGES, "0",
        "train on N samples of each data set, evenly of every class")
SETTING(, selection.split_seed, "split_seed", "split-seed", SEED, "N", 0, SEED_MAX, 0, NULL, KL_OF_IMAGES, "1",
        "random seed of what is drawn for validation, for the limit, and for a test split where there is none (default 1)")
SETTING(, selection.background, "background", "background", CHOICE, NULL, 0, 0, 0, background_name, KL_OF_IMAGES, "auto",
        "what transparent images are laid on: white, black, or auto (default): white, unless they are light and black shows them")
SETTING(, selection.label_noise, "label_noise", "label-noise", REAL, "P", 0, 1, 0, NULL, KL_OF_IMAGES, "0",
        "flip this share of the training labels, and remember which")
SETTING(, selection.noise_seed, "noise_seed", "noise-seed", SEED, "N", 0, SEED_MAX, 0, NULL, KL_OF_IMAGES, "1",
        "random seed of the flips (default 1)")
SETTING(, selection.image_size, "image_size", "image-size", SIZE, "N|WxH", 1, KL_IMAGE_SIDE_MAX, 0, NULL, KL_OF_IMAGES, "",
        "resize the images of folders (default: their own size if they share one up to 64x64, otherwise 32x32)")
SETTING(, selection.text.kind, "tokens", "tokens", CHOICE, NULL, 0, 0, 0, token_kind_name, KL_OF_TEXT, "characters",
        "characters, words, or whitespace: what white space separates in a file that is cut already, such as WikiText's. Says that the "
        "data is text; the settings are quick-text's (text-words', for words and whitespace) unless a preset is named")
SETTING(, selection.text.min_count, "min_count", "min-count", INTEGER, "N", 0, INTEGER_MAX, 0, NULL, KL_OF_TEXT, "1",
        "rarer words are <unk>")
SETTING(, selection.text.test_share, "test_share", "test-share", REAL, "P", 0, 1, KL_OPEN_HIGH, NULL, KL_OF_TEXT, "0.05",
        "the last share of the text is the test split (default 0.05)")
SETTING(, selection.text.test_files, "test_files", "test-files", TEXT, "PATTERN", 0, 0, 0, NULL, KL_OF_TEXT, "",
        "files so named are it instead; without it, a folder with files that have train and test (and valid) as words of their names "
        "is split so")
SETTING(uint32_t records_gates;, records_gates, "gate_errors", "gate-errors", FLAG, NULL, 0, 1, 0, NULL, KL_OF_TEXT, "0",
        "record the error signals of the LSTM's gates, too: contributions through them, for 8 bytes per cell and pattern")
SETTING(uint32_t error_entries;, error_entries, "error_entries", "error-entries", INTEGER, "N", 0, KL_VOCABULARY_MAX, 0, NULL, KL_OF_TEXT, "0",
        "of the output layer's error signals record the target's and the N - 1 largest; 0: all, which alone is exact (default: all of "
        "up to 1024 tokens, otherwise 64)")
/* clang-format on */
