#include "db/file/schema.h"

/* Every table ends with a checksum over its other columns: db/file/checksum.h. */
#define CHECKSUM " checksum INTEGER NOT NULL"
#define SPLIT " split TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test')),"
#define DTYPE " dtype TEXT NOT NULL CHECK (dtype IN ('float16', 'float32')),"
#define NUMBER_BYTES "CASE dtype WHEN 'float16' THEN 2 ELSE 4 END"

/* Numbers by layer and row, stored without their zeros if that is shorter. */
#define NUMBERS(table, exponents)                                                                  \
    "CREATE TABLE " table " ("                                                                     \
    " layer INTEGER NOT NULL REFERENCES layer,"                                                    \
    " first INTEGER NOT NULL,"                                                                     \
    " count INTEGER NOT NULL CHECK (count > 0),"                                                   \
    " width INTEGER NOT NULL," DTYPE " exponent INTEGER NOT NULL CHECK (exponent " exponents "),"  \
    " stored INTEGER NOT NULL CHECK (stored BETWEEN 0 AND count * width),"                         \
    " data BLOB NOT NULL," CHECKSUM ", UNIQUE (layer, first),"                                     \
    " CHECK (length(data) = stored * " NUMBER_BYTES " + "                                          \
    "        CASE stored WHEN count * width THEN 0 ELSE count * ((width + 7) / 8) END)"            \
    ") STRICT;"

const char kl_schema[] =
    /* One row: where the run stands. */
    "CREATE TABLE run ("
    " id INTEGER PRIMARY KEY CHECK (id = 1),"
    " steps_done INTEGER NOT NULL,"
    " finished INTEGER NOT NULL CHECK (finished IN (0, 1)),"
    " fingerprint TEXT CHECK (length(fingerprint) = 16)," CHECKSUM ","
    " CHECK (finished = 0 OR fingerprint IS NOT NULL)"
    ") STRICT;"
    /* How it was trained. */
    "CREATE TABLE setting (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL," CHECKSUM ") STRICT;"

    /* The data sets, numbered from 0, with their classes and standardisation. */
    "CREATE TABLE dataset ("
    " dataset INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " kind TEXT NOT NULL,"
    " width INTEGER NOT NULL,"
    " height INTEGER NOT NULL,"
    " channels INTEGER NOT NULL,"
    " classes INTEGER NOT NULL CHECK (classes > 0),"
    " train_samples INTEGER NOT NULL,"
    " validation_samples INTEGER NOT NULL,"
    " test_samples INTEGER NOT NULL," CHECKSUM ") STRICT;"
    "CREATE TABLE class ("
    " dataset INTEGER NOT NULL REFERENCES dataset,"
    " label INTEGER NOT NULL,"
    " name TEXT NOT NULL," CHECKSUM ", UNIQUE (dataset, label)) STRICT;"
    "CREATE TABLE channel ("
    " dataset INTEGER NOT NULL REFERENCES dataset,"
    " channel INTEGER NOT NULL,"
    " mean REAL NOT NULL,"
    " deviation REAL NOT NULL CHECK (deviation > 0)," CHECKSUM ", UNIQUE (dataset, channel)"
    ") STRICT;"

    /* Text: its vocabulary, documents and tokens. */
    "CREATE TABLE corpus ("
    " dataset INTEGER PRIMARY KEY REFERENCES dataset,"
    " tokens TEXT NOT NULL,"
    " unknown INTEGER NOT NULL," CHECKSUM ") STRICT;"
    "CREATE TABLE vocabulary ("
    " token INTEGER PRIMARY KEY,"
    " text TEXT NOT NULL UNIQUE,"
    " count INTEGER NOT NULL," CHECKSUM ") STRICT;"
    "CREATE TABLE document ("
    " document INTEGER PRIMARY KEY," SPLIT " name TEXT NOT NULL,"
    " first INTEGER NOT NULL,"
    " count INTEGER NOT NULL CHECK (count > 0)," CHECKSUM ") STRICT;"
    "CREATE TABLE token_chunk (" SPLIT " first INTEGER NOT NULL,"
    " count INTEGER NOT NULL CHECK (count > 0),"
    " data BLOB NOT NULL," CHECKSUM ", UNIQUE (split, first),"
    " CHECK (length(data) = 4 * count)"
    ") STRICT;"

    /* Every sample; its prediction by the final network once training is complete. */
    "CREATE TABLE sample ("
    " sample INTEGER PRIMARY KEY,"
    " dataset INTEGER NOT NULL REFERENCES dataset," SPLIT " position INTEGER NOT NULL,"
    " label INTEGER NOT NULL,"
    " true_label INTEGER NOT NULL,"
    " target INTEGER NOT NULL,"
    " name TEXT,"
    " predicted INTEGER,"
    " probability REAL," CHECKSUM ") STRICT;"
    "CREATE TABLE description ("
    " sample INTEGER PRIMARY KEY REFERENCES sample,"
    " text TEXT NOT NULL," CHECKSUM ") STRICT;"
    "CREATE TABLE image_chunk ("
    " first INTEGER NOT NULL UNIQUE,"
    " count INTEGER NOT NULL CHECK (count > 0),"
    " width INTEGER NOT NULL,"
    " data BLOB NOT NULL," CHECKSUM ", CHECK (length(data) = count * width)"
    ") STRICT;"
    "CREATE TABLE vector_chunk ("
    " first INTEGER NOT NULL UNIQUE,"
    " count INTEGER NOT NULL CHECK (count > 0),"
    " width INTEGER NOT NULL," DTYPE " data BLOB NOT NULL," CHECKSUM ","
    " CHECK (length(data) = count * width * " NUMBER_BYTES ")"
    ") STRICT;"

    /* The linear layers, and the parameters of the network: at the start, now, and along the way.
     */
    "CREATE TABLE layer ("
    " layer INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " inputs INTEGER NOT NULL CHECK (inputs > 0),"
    " outputs INTEGER NOT NULL CHECK (outputs > 0),"
    " bias INTEGER NOT NULL CHECK (bias IN (0, 1)),"
    " places INTEGER NOT NULL CHECK (places > 0),"
    " parameter_group INTEGER NOT NULL,"
    " activation TEXT NOT NULL,"
    " keys TEXT NOT NULL CHECK (keys IN ('samples', 'chunks', 'none')),"
    " errors TEXT NOT NULL CHECK (errors IN ('whole', 'entries', 'none'))," CHECKSUM ") STRICT;"
    "CREATE TABLE convolution ("
    " layer INTEGER PRIMARY KEY REFERENCES layer,"
    " channels INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,"
    " kernel_height INTEGER NOT NULL, kernel_width INTEGER NOT NULL,"
    " stride_down INTEGER NOT NULL, stride_right INTEGER NOT NULL,"
    " padding_height INTEGER NOT NULL, padding_width INTEGER NOT NULL,"
    " dilation_down INTEGER NOT NULL, dilation_right INTEGER NOT NULL," CHECKSUM ") STRICT;"
    "CREATE TABLE tensor ("
    " layer INTEGER REFERENCES layer,"
    " name TEXT NOT NULL,"
    " role TEXT NOT NULL,"
    " state TEXT NOT NULL,"
    " step INTEGER NOT NULL,"
    " shape TEXT NOT NULL," DTYPE " data BLOB NOT NULL," CHECKSUM ","
    " UNIQUE (state, step, name, role)"
    ") STRICT;"

    /* The history: steps and their rules, which sample each showing was, keys and error signals. */
    "CREATE TABLE step ("
    " step INTEGER PRIMARY KEY,"
    " first_showing INTEGER NOT NULL,"
    " count INTEGER NOT NULL CHECK (count > 0),"
    " loss REAL NOT NULL," CHECKSUM ") STRICT;"
    "CREATE TABLE rule ("
    " step INTEGER NOT NULL REFERENCES step,"
    " parameter_group INTEGER NOT NULL,"
    " learning_rate REAL NOT NULL,"
    " momentum REAL NOT NULL,"
    " weight_decay REAL NOT NULL,"
    " clip_factor REAL NOT NULL," CHECKSUM ", UNIQUE (step, parameter_group)"
    ") STRICT;"
    "CREATE TABLE showing_chunk ("
    " first INTEGER NOT NULL UNIQUE,"
    " count INTEGER NOT NULL CHECK (count > 0),"
    " data BLOB NOT NULL," CHECKSUM ", CHECK (length(data) = 4 * count)"
    ") STRICT;"
    "CREATE TABLE place_chunk ("
    " layer INTEGER NOT NULL REFERENCES layer,"
    " first INTEGER NOT NULL,"
    " count INTEGER NOT NULL CHECK (count > 0),"
    " data BLOB NOT NULL," CHECKSUM ", UNIQUE (layer, first),"
    " CHECK (length(data) = 12 * count)"
    ") STRICT;" NUMBERS("key_chunk", "= 0") NUMBERS(
        "error_chunk",
        "BETWEEN -100 AND 100") "CREATE TABLE sparse_error_chunk ("
                                " layer INTEGER NOT NULL REFERENCES layer,"
                                " first INTEGER NOT NULL,"
                                " count INTEGER NOT NULL CHECK (count > 0),"
                                " entries INTEGER NOT NULL," DTYPE
                                " exponent INTEGER NOT NULL CHECK (exponent BETWEEN -100 AND 100),"
                                " data BLOB NOT NULL,"
                                " kept REAL NOT NULL,"
                                " left_out REAL NOT NULL," CHECKSUM ", UNIQUE (layer, first),"
                                " CHECK (length(data) = count * entries * (4 + " NUMBER_BYTES "))"
                                ") STRICT;"

                                /* The training curve: the test split of each data set along the
                                   way. */
                                "CREATE TABLE curve ("
                                " step INTEGER NOT NULL,"
                                " dataset INTEGER NOT NULL REFERENCES dataset,"
                                " accuracy REAL NOT NULL,"
                                " loss REAL NOT NULL," CHECKSUM ", UNIQUE (step, dataset)"
                                ") STRICT;"

                                /* Samples that only the framework that trained the network could
                                   run. */
                                "CREATE TABLE query ("
                                " query INTEGER PRIMARY KEY,"
                                " name TEXT NOT NULL,"
                                " label INTEGER,"
                                " logits BLOB NOT NULL," CHECKSUM ") STRICT;"
                                "CREATE TABLE query_key_chunk ("
                                " query INTEGER NOT NULL REFERENCES query,"
                                " layer INTEGER NOT NULL REFERENCES layer,"
                                " role TEXT NOT NULL CHECK (role IN ('key', 'gradient')),"
                                " output INTEGER,"
                                " data BLOB NOT NULL," CHECKSUM
                                ", UNIQUE (query, layer, role, output)"
                                ") STRICT;"

                                "CREATE TABLE query_place_chunk ("
                                " query INTEGER NOT NULL REFERENCES query,"
                                " layer INTEGER NOT NULL REFERENCES layer,"
                                " role TEXT NOT NULL CHECK (role IN ('key', 'gradient')),"
                                " output INTEGER,"
                                " count INTEGER NOT NULL CHECK (count > 0),"
                                " width INTEGER NOT NULL CHECK (width > 0)," DTYPE
                                " exponent INTEGER NOT NULL CHECK (exponent BETWEEN -100 AND 100),"
                                " stored INTEGER NOT NULL CHECK (stored BETWEEN 0 AND count * "
                                "width),"
                                " data BLOB NOT NULL," CHECKSUM
                                ", UNIQUE (query, layer, role, output),"
                                " CHECK (length(data) = stored * " NUMBER_BYTES " + "
                                "        CASE stored WHEN count * width THEN 0 "
                                "        ELSE count * ((width + 7) / 8) END)"
                                ") STRICT;"

                                /* Which part of a history this file is, if it is one of several. */
                                "CREATE TABLE shard ("
                                " shard INTEGER PRIMARY KEY,"
                                " shards INTEGER NOT NULL CHECK (shards > shard),"
                                " run TEXT NOT NULL,"
                                " first_step INTEGER NOT NULL,"
                                " last_step INTEGER NOT NULL," CHECKSUM ") STRICT;";
