#include "api/csv.h"

#include <stdlib.h>

#include "core/data/csv.h"

static void put_mark(FILE *file, const struct kl_run *run, const struct kl_mark *mark)
{
    struct kl_sample_place place = kl_collection_place(&run->data, mark->sample);
    const struct kl_dataset *dataset = run->data.datasets[place.dataset];

    kl_csv_text(file, dataset->name);
    fprintf(file, ",%s,%u,", kl_split_name(place.split), place.index);
    kl_csv_text(file, kl_dataset_path(dataset, place.split, place.index));
    putc(',', file);
    kl_csv_text(file,
                kl_dataset_class_name(dataset, kl_collection_label(&run->data, mark->sample)));
    fprintf(file, ",%s,", kl_decision_name(mark->decision));
    if (mark->label >= 0 && mark->label < dataset->n_classes)
        kl_csv_text(file, kl_dataset_class_name(dataset, (uint32_t)mark->label));
    fputs("\r\n", file);
}

char *kl_csv_marks(const struct kl_run *run, const struct kl_mark *marks, uint32_t n, int has_bom)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *file = open_memstream(&text, &n_bytes);
    int failed;

    if (!file)
        return NULL;
    fprintf(file, "%sdataset,split,index,file,label,decision,correct_label\r\n",
            has_bom ? "\xef\xbb\xbf" : "");
    for (uint32_t i = 0; i < n; i++)
        put_mark(file, run, &marks[i]);
    failed = ferror(file);
    failed |= fclose(file);
    if (failed) {
        free(text);
        return NULL;
    }
    return text;
}
